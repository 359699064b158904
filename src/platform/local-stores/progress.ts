/** One line of news about a step that may take long. The caller decides how to show it. */
export interface Progress {
  /** Stable name of the step, e.g. `postgres` or `redis`; several reports share one. */
  readonly step: string;
  /** What is happening now, in plain English, without a full stop. */
  readonly message: string;
  /** How much is done, in the unit of `total`; absent where nobody can tell. */
  readonly done?: number;
  readonly total?: number;
}

export type ProgressListener = (progress: Progress) => void;

/** The part of a logger that the stores need; pino's and the tests' both fit. */
export interface LocalStoreLog {
  info(message: string): void;
  warn(message: string): void;
}
