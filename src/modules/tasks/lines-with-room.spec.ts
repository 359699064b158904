import { describe, expect, it } from 'vitest';
import { AppError } from '../../platform/errors/app-error.js';
import { whereThereIsRoom } from './lines-with-room.js';
import { LineFull } from './refusals.js';

/** Tries pools in this order; those in `full` have no room. */
function inOrder(order: readonly string[], full: readonly string[]) {
  const tried: string[] = [];
  const enter = (known: ReadonlySet<string>): Promise<string> => {
    const poolId = order.find((id) => !known.has(id));
    if (poolId === undefined) return Promise.reject(new AppError('POOL_UNAVAILABLE', 'no other'));
    tried.push(poolId);
    if (full.includes(poolId)) return Promise.reject(new LineFull('ADMISSION_REJECT', poolId, { poolId }));
    return Promise.resolve(poolId);
  };
  return { tried, enter };
}

describe('where lines are full', () => {
  it('takes the best pool that has room, and asks none behind it', async () => {
    const { tried, enter } = inOrder(['a', 'b', 'c', 'd'], ['a', 'b']);
    await expect(whereThereIsRoom(enter)).resolves.toBe('c');
    expect(tried).toEqual(['a', 'b', 'c']);
  });

  it('tells what the best one said where none has room, and knocks at a few only', async () => {
    const order = Array.from({ length: 100 }, (_, n) => `p${n}`);
    const { tried, enter } = inOrder(order, order);
    await expect(whereThereIsRoom(enter)).rejects.toMatchObject({ code: 'ADMISSION_REJECT', poolId: 'p0' });
    expect(tried).toHaveLength(8);
  });

  it('tells other refusals of the best one as they are, and outages always', async () => {
    const refusal = new AppError('BUDGET_EXHAUSTED', 'no');
    await expect(whereThereIsRoom(() => Promise.reject(refusal))).rejects.toBe(refusal);
    const outage = new Error('Redis is away');
    const then = (error: Error) =>
      whereThereIsRoom((full) =>
        Promise.reject(full.size === 0 ? new LineFull('ADMISSION_REJECT', 'full', { poolId: 'a' }) : error),
      );
    await expect(then(outage)).rejects.toBe(outage);
    await expect(then(refusal)).rejects.toMatchObject({ code: 'ADMISSION_REJECT', poolId: 'a' });
  });
});
