import { describe, expect, it } from 'vitest';
import type { Deadlines, PoolQueue } from '../admission/index.js';
import { EventLog } from '../events/index.js';
import { type OpenableTask, openTask } from './open-task.js';

/** What reaches Redis, in its order: `log a`, `ticket a`. */
class Sent {
  readonly all: string[] = [];
  private readonly redis = {
    call: (...sent: unknown[]) => {
      const logs = sent.filter((text) => typeof text === 'string' && text.includes(':events:')).map(nameOf);
      this.all.push(...logs.map((name) => `log ${name}`));
      return Promise.resolve(logs.map(() => 1));
    },
  };
  private readonly log = new EventLog(this.redis as never, { now: () => 0 }, 60, null);
  private readonly queue = {
    offer: (taskId: string) => {
      this.all.push(`ticket ${taskId}`);
      return Promise.resolve();
    },
  };

  open(taskId: string): Promise<void> {
    const ways = { log: this.log, queue: this.queue as never as PoolQueue, deadlines: {} as Deadlines };
    return openTask({ ...task, taskId }, ways, {});
  }
}

const nameOf = (key: unknown): string => /[^:]+$/.exec(String(key))?.[0] ?? '';

const task = {
  poolId: 'p',
  correlationId: 'c',
  request: { workload: 'completion', model_ref: 'm', prompt: 'x', max_tokens: 9, priority: 'batch' },
  admission: {},
  engine: 'mock',
  createdMs: 0,
  deadlineMs: null,
  told: null,
  turn: null,
} as unknown as OpenableTask; // What else an accepted request says does not matter here.

describe('openTask', () => {
  it('sends no ticket before the log that whoever comes with it must find', async () => {
    const sent = new Sent();
    const names = Array.from({ length: 40 }, (_, place) => `t${place}`);
    await Promise.all(names.map((name) => sent.open(name)));
    const ofEach = names.map((name) => sent.all.filter((what) => what.endsWith(` ${name}`)));
    expect(ofEach).toEqual(names.map((name) => [`log ${name}`, `ticket ${name}`]));
  });
});
