/** How patiently a lost engine is started again. Times in milliseconds. */
export interface RestartSettings {
  readonly baseMs: number;
  readonly capMs: number;
  /** So many losses within the window are a storm: something is wrong that haste won't mend. */
  readonly stormLosses: number;
  readonly stormWindowMs: number;
  /** Rest after a storm. */
  readonly stormRestMs: number;
  /** A run this long clears the record. */
  readonly stableMs: number;
}

export const defaultRestart: RestartSettings = {
  baseMs: 500,
  capMs: 30_000,
  stormLosses: 6,
  stormWindowMs: 300_000,
  stormRestMs: 300_000,
  stableMs: 60_000,
};

/** What is remembered of a pool's losses: when they happened, in milliseconds, oldest first. */
export type LossRecord = readonly number[];

export interface RestartDecision {
  readonly delayMs: number;
  readonly isStorm: boolean;
  readonly record: LossRecord;
}

/**
 * Decides how long to wait after a loss: full jitter below an exponential bound, a long rest after a storm. `readyForMs` is how long the engine
 * had been ready, `random` a number from 0 up to 1.
 */
export function decideRestart(
  record: LossRecord,
  loss: { readonly nowMs: number; readonly readyForMs: number; readonly random: number },
  settings: RestartSettings,
): RestartDecision {
  const before = loss.readyForMs >= settings.stableMs ? [] : record;
  const recent = [...before, loss.nowMs].filter((atMs) => loss.nowMs - atMs <= settings.stormWindowMs);
  if (recent.length >= settings.stormLosses) {
    // Half the rest at the least: with full jitter a storm would now and then go on at once.
    return { delayMs: settings.stormRestMs * (0.5 + loss.random / 2), isStorm: true, record: [] };
  }
  const bound = Math.min(settings.capMs, settings.baseMs * 2 ** (recent.length - 1));
  return { delayMs: Math.round(bound * loss.random), isStorm: false, record: recent };
}
