import { AppError } from '../../platform/errors/app-error.js';
import { LineFull } from './refusals.js';

/** Lines that a task is tried in at the most: a flood that nobody has room for must not knock at every pool. */
const mostLines = 8;

/**
 * Goes on to the next best pool where the line of the best is full, and so on. Where none has room it rejects as the best one's line did.
 * @param enter places the task beside the pools that are full and lets it in, or rejects
 */
export async function whereThereIsRoom<T>(enter: (full: ReadonlySet<string>) => Promise<T>): Promise<T> {
  const full = new Set<string>();
  let first: AppError | null = null;
  for (;;) {
    try {
      return await enter(full);
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'UNAVAILABLE') throw error;
      first ??= error;
      const poolId = error instanceof LineFull ? error.poolId : undefined;
      if (poolId === undefined || full.has(poolId) || full.size + 1 === mostLines) throw first;
      full.add(poolId);
    }
  }
}
