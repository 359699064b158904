/** Where the appender takes events from: the writer of one run attempt. */
export interface ChunkSource {
  readonly taskId: string;
  readonly fence: string;
  /** The connection to Redis over which its last chunk was taken, as the appender counts them; null: none was. */
  takenOver: number | null;
  /** What has gathered since the last call; null when nothing has. */
  take(): PendingChunk | null;
  /** Whether Redis took the chunk; false: the fence is another's, and no more will be taken. */
  acknowledge(taken: boolean): void;
}

/** What one writer hands over in one flush. */
export interface PendingChunk {
  readonly writer: ChunkSource;
  /** Ids of the first and last event. */
  readonly first: number;
  readonly last: number;
  /** Tokens in the log when this chunk is in it. */
  readonly tokens: number;
  readonly plain: string;
  /** Empty: the same as `plain`. */
  readonly verbose: string;
  /** What is known at the first token, `<ms>,<tokens in>[,<origin>]`; empty in every other chunk. */
  readonly facts: string;
}
