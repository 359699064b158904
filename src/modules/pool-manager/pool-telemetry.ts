import type { ReplicaAnnouncement } from './replica-announcer.port.js';

/** What a watcher of the pools hears. */
export interface PoolEvents {
  /** A pool changed its state. */
  readonly status: (status: ReplicaAnnouncement) => void;
  /** One line for people about a long step of a pool: `download x.gguf: 12 MB of 4.7 GB (0 %), 85.0 MB/s, 54 s left`. */
  readonly progress: (line: PoolProgress) => void;
}

export interface PoolProgress {
  readonly poolId: string;
  readonly text: string;
  /** False for the first and last line of a step, true for those between: a terminal may overwrite them. */
  readonly isPassing: boolean;
}
