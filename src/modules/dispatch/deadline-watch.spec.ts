import { describe, expect, it } from 'vitest';
import { DeadlineWatch } from './deadline-watch.js';

type Collaborators = ConstructorParameters<typeof DeadlineWatch>[0];

const nowMs = 1_000_000;

/** Tasks whose deadline has passed, by id: the running ones have workers that will end them. */
class House {
  readonly ended = new Map<string, string>();
  /** Ends that were under way at the same time. */
  most = 0;
  private under = 0;
  private readonly due: string[];

  constructor(private readonly tasks: ReadonlyMap<string, 'waits' | 'runs' | 'has ended'>) {
    this.due = [...tasks.keys()];
  }

  look(): Promise<void> {
    const collaborators = {
      deadlines: {
        due: (_: number, count: number, skipped: number) => Promise.resolve(this.due.slice(skipped, skipped + count)),
        forget: (id: string) => Promise.resolve(void this.due.splice(this.due.indexOf(id), 1)),
      },
      tasks: { findOpen: (id: string) => Promise.resolve(this.tasks.get(id) === 'has ended' ? null : this.open) },
      endTask: { fail: (id: string, error: { code: string }) => this.fail(id, error.code) },
      line: { leave: () => Promise.resolve() },
      queues: { of: () => null },
      clock: { now: () => nowMs },
    } as unknown as Collaborators;
    return new DeadlineWatch(collaborators).look();
  }

  get left(): number {
    return this.due.length;
  }

  private get open() {
    return { engine: 'mock', poolId: 'p', deadlineMs: nowMs - 1 };
  }

  private async fail(id: string, code: string): Promise<{ kind: string }> {
    if (this.tasks.get(id) !== 'waits') return { kind: 'kept' };
    this.under += 1;
    this.most = Math.max(this.most, this.under);
    await new Promise(setImmediate);
    this.under -= 1;
    this.ended.set(id, code);
    return { kind: 'closed' };
  }
}

const many = (count: number, what: 'waits' | 'runs' | 'has ended') =>
  Array.from({ length: count }, (_, n) => [`${what} ${n}`, what] as const);

describe('tasks whose deadline passes', () => {
  it('end in one look, however many wait, and several at a time', async () => {
    const house = new House(new Map(many(1000, 'waits')));
    await house.look();
    expect([house.ended.size, house.left]).toEqual([1000, 0]);
    expect(house.most).toBeGreaterThan(10);
    expect(new Set(house.ended.values())).toEqual(new Set(['DEADLINE_UNMET']));
  });

  it('do not wait for others that run, whose workers end them, nor for what has ended', async () => {
    const house = new House(new Map([...many(300, 'runs'), ...many(300, 'has ended'), ...many(2, 'waits')]));
    await house.look();
    expect([...house.ended.keys()]).toEqual(['waits 0', 'waits 1']);
    expect(house.left).toBe(300);
  });
});
