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
    const late = new LateOffers({ of: () => queue }, { keep: (ids) => take(kept, ids) }, () => false);
    late.add('default', offer);
    await late.flush();
    isAway = false;
    await late.flush();
    await late.flush();
    expect({ kept, offered }).toEqual({ kept: ['a'], offered: ['a'] });
  });

  it('are left out when they have ended in a burst, however many there are', async () => {
    const offered: string[] = [];
    const queue = {
      showStarted: (offers: readonly { job: { task_id: string } }[]) => {
        offered.push(...offers.map(({ job }) => job.task_id));
        return Promise.resolve();
      },
    };
    const keep = () => Promise.resolve();
    const late = new LateOffers({ of: () => queue }, { keep }, (taskId) => taskId.startsWith('long'));
    for (let n = 0; n < 1000; n++) late.add('default', { ...offer, job: { ...offer.job, task_id: `short ${n}` } });
    for (let n = 0; n < 40; n++) late.add('default', { ...offer, job: { ...offer.job, task_id: `long ${n}` } });
    await late.flush();
    await late.flush();
    await late.flush();
    expect(offered).toEqual(Array.from({ length: 40 }, (_, n) => `long ${n}`));
  });
});
