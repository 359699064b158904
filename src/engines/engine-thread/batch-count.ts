const takenAt = 0;
const waitsAt = 1;

/**
 * How many batches the process has taken, in memory that both threads see: a message for each would wake the thread as often as it wakes the
 * process. Only a thread that waits is told.
 */
export class BatchCount {
  private readonly cells: Int32Array;

  constructor(readonly memory: SharedArrayBuffer = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) {
    this.cells = new Int32Array(memory);
  }

  /** The process has taken one. @returns whether the thread waits, and must be told */
  take(): boolean {
    Atomics.add(this.cells, takenAt, 1);
    return Atomics.exchange(this.cells, waitsAt, 0) === 1;
  }

  /** Batches under way. @param posted how many the thread has posted so far */
  underWay(posted: number): number {
    // Both wrap around at 32 bits.
    return (posted - Atomics.load(this.cells, takenAt)) | 0;
  }

  /** The thread waits to be told. @returns false: it need not, since one was taken meanwhile */
  wait(posted: number, limit: number): boolean {
    Atomics.store(this.cells, waitsAt, 1);
    if (this.underWay(posted) >= limit) return true;
    Atomics.store(this.cells, waitsAt, 0);
    return false;
  }
}
