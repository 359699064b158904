import { describe, expect, it } from 'vitest';
import { LateOffers } from './late-offers.js';

const offer = { job: { task_id: 'a', correlation_id: 'c' }, priority: 'interactive' } as const;

describe('tasks that began without the queue', () => {
  it('keep their logs and get their jobs although Redis was away at first', async () => {
    let isAway = true;
    const kept: string[] = [];
    const offered: string[] = [];
    const take = async (into: string[], ids: readonly string[]): Promise<void> => {
      if (isAway) throw new Error('Redis is away');
      into.push(...ids);
    };
    const queue = {
      showStarted: (offers: readonly { job: { task_id: string } }[]) =>
        take(
          offered,
          offers.map(({ job }) => job.task_id),
        ),
    };
    const late = new LateOffers({ of: () => queue }, { keep: (ids) => take(kept, ids) });
    late.add('default', offer);
    await late.flush();
    isAway = false;
    await late.flush();
    await late.flush();
    expect({ kept, offered }).toEqual({ kept: ['a'], offered: ['a'] });
  });
});
