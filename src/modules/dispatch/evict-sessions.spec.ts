import type { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { EvictSessions } from './evict-sessions.js';

it('forgets at engines whatever ran here and is a session no more, once', async () => {
  const there = new Set(['kept']);
  const evicted: string[] = [];
  const sessions = { gone: (ids: readonly string[]) => Promise.resolve(ids.filter((id) => !there.has(id))) };
  const engines = {
    evictSession: (id: string) => {
      evicted.push(id);
      return Promise.reject(new Error('it is away'));
    },
  };
  const evict = new EvictSessions({} as Redis, sessions, engines);
  for (const id of ['kept', 'expired', undefined, 'expired']) evict.ran(id);
  await evict.sweep();
  await evict.sweep();
  expect(evicted).toEqual(['expired']);
  there.delete('kept');
  // Its last run ended after it was gone.
  evict.ran('expired');
  await evict.sweep();
  expect(evicted).toEqual(['expired', 'kept', 'expired']);
});
