import type { Priority } from '../../contract/common.js';

/**
 * Lines that had no room for somebody, while tasks are placed again in their order. A place that comes free in between is for the first who
 * asked for it: nobody behind gets it.
 */
export class LinesFoundFull {
  private readonly found = new Set<string>();

  get isAny(): boolean {
    return this.found.size > 0;
  }

  has(poolId: string, priority: Priority): boolean {
    return this.found.has(poolId) || this.found.has(keyOf(poolId, priority));
  }

  /** @param priority the class there is no room for; null: there is none at all */
  add(poolId: string, priority: Priority | null): void {
    this.found.add(priority === null ? poolId : keyOf(poolId, priority));
  }
}

/** No pool's name holds a slash. */
function keyOf(poolId: string, priority: Priority): string {
  return `${poolId}/${priority}`;
}
