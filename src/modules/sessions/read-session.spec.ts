import { expect, it } from 'vitest';
import { ReadSession } from './read-session.js';
import type { SessionView } from './sessions.js';

const limits = { ttlMs: 1000, maxTurns: 8, budgets: { tokens: null, timeMs: null, costNano: null } };
const used = { tokens: 0, timeMs: 0, costNano: 0 };
const home = { poolId: 'p', replicaId: 'r' };
const view: SessionView = {
  generation: 'g',
  turns: 1,
  openTurns: 0,
  taken: used,
  ttlMs: 500,
  lastRun: home,
  lastTokens: 30,
  left: limits.budgets,
};

async function kvBytesOf(change: Partial<SessionView>, perToken: number | null): Promise<number | null> {
  const sessions = { limits, find: () => Promise.resolve({ ...view, ...change }) };
  const bytesOf = (where: unknown, tokens: number): number | null =>
    where === home && perToken !== null ? tokens * perToken : null;
  return (await new ReadSession(sessions, { bytesOf }).run('id')).kv_bytes;
}

it('tells what the last turn takes in the cache of its replica, where that is known', async () => {
  expect(await kvBytesOf({}, 10)).toBe(300);
  expect(await kvBytesOf({}, null)).toBeNull();
});

it('tells of no cache before a turn has run and ended', async () => {
  expect(await kvBytesOf({ lastRun: null }, 10)).toBeNull();
  expect(await kvBytesOf({ lastTokens: 0 }, 10)).toBeNull();
});

it('knows no session that is not there', async () => {
  const sessions = { limits, find: () => Promise.resolve(null) };
  const read = new ReadSession(sessions, { bytesOf: () => null });
  await expect(read.run('id')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
