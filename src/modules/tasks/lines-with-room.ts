import { AppError } from '../../platform/errors/app-error.js';
import { LineFull } from './refusals.js';

/** Lines that a task is tried in at the most: a flood that nobody has room for must not knock at every pool. */
const mostLines = 8;

/**
 * Goes on to the next best pool where the line of the best is full, and so on. Where none has room it rejects as the best one's line did.
 * @param enter places the task and lets it in, or rejects; null: beside the full ones no pool can take it
 */
export async function whereThereIsRoom<T>(enter: (full: ReadonlySet<string>) => Promise<T | null>): Promise<T> {
  const full = new Set<string>();
  let first: LineFull | null = null;
  while (full.size < mostLines) {
    try {
      const entered = await enter(full);
      if (entered !== null) return entered;
      break;
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'UNAVAILABLE') throw error;
      const poolId = error instanceof LineFull ? error.poolId : undefined;
      if (poolId === undefined || full.has(poolId)) throw first ?? error;
      first ??= error;
      full.add(poolId);
    }
  }
  throw first ?? new Error('no pool was tried');
}
