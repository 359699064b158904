import type { LogChunk } from './log-chunk.js';

/** Where the events of ended tasks lie once Redis has let go of their logs. */
export interface EndedLogs {
  /**
   * The whole log, byte for byte as its readers saw it. `open`: the task has not ended, so its log is to come (again). `gone`: it has ended
   * and its events are kept nowhere any more. Rejects when the store is away.
   */
  find(taskId: string): Promise<LogChunk[] | 'open' | 'gone'>;
}
