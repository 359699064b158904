import { describe, expect, it } from 'vitest';
import type { LivePool } from '../pools/index.js';
import type { OpenTask } from '../tasks/index.js';
import type { Move, MoveOutcome } from './move-task.js';
import { PlaceAgain, type PlaceAgainCollaborators } from './place-again.js';

const admission = { priorities: [], batch_share: 0, batch_max_wait_ms: 0, place_again_after_ms: 0 };
const queue = { capacity: 9, full_policy: 'reject', shed_watermark: 1 };

function aPool(id: string, ready: boolean): LivePool {
  // Only what placing again looks at.
  return { config: { id, admission, queue, engine: { id: 'mock' } }, ready, slots: 1 } as unknown as LivePool;
}

const [gone, b, c] = [aPool('a', false), aPool('b', true), aPool('c', true)];

/** Places a line again where each move comes to what `outcomeOf` says. @returns the moves that were tried */
async function placeAgain(
  line: readonly Pick<OpenTask, 'taskId' | 'priority'>[],
  outcomeOf: (move: Move, nth: number) => MoveOutcome,
): Promise<string[]> {
  const tried: string[] = [];
  const tasks = line.map((task) => ({ ...task, turn: null, request: {} }));
  const collaborators = {
    pools: {
      all: () => [gone, b, c],
      find: (id: string) => [gone, b, c].find(({ config }) => config.id === id) ?? null,
      keysOf: () => ({ leaseKeys: [], workersKey: 'w' }),
    },
    line: { page: () => Promise.resolve(line.map(({ taskId }) => taskId)) },
    gauge: { refresh: () => Promise.resolve() },
    steadiness: { isSteady: ({ ready }: LivePool) => ready, lastedMs: () => 1000 },
    tasks: { movableOf: () => Promise.resolve(tasks) },
    placeTask: {
      run: (_: unknown, [best]: readonly LivePool[]) => ({ kind: 'pool', poolId: best?.config.id, reasons: ['r'] }),
    },
    moveTask: {
      run: (move: Move) => {
        tried.push(`${move.taskId}→${move.toPoolId}`);
        return Promise.resolve(outcomeOf(move, tried.length - 1));
      },
    },
    followMove: { run: () => Promise.resolve() },
    telemetry: { placedAgain: () => undefined },
  };
  await new PlaceAgain(collaborators as unknown as PlaceAgainCollaborators).run(gone);
  return tried;
}

const interactive = (taskId: string) => ({ taskId, priority: 'interactive' as const });
const batch = (taskId: string) => ({ taskId, priority: 'batch' as const });

describe('a line that is placed again', () => {
  it('gives a place that comes free in the middle of it to nobody behind the first who found none', async () => {
    // Everything is full when the first asks, and room comes free right after it.
    const tried = await placeAgain([interactive('1'), interactive('2'), batch('3')], (_, nth) =>
      nth < 2 ? 'full' : 'moved',
    );
    expect(tried).toEqual(['1→b', '1→c']);
  });

  it('has those behind go where there is room for them', async () => {
    const tried = await placeAgain([interactive('1'), interactive('2')], ({ toPoolId }) =>
      toPoolId === 'b' ? 'full' : 'moved',
    );
    expect(tried).toEqual(['1→b', '1→c', '2→c']);
  });

  it('has batch tasks not wait for a class that is full', async () => {
    const tried = await placeAgain([interactive('1'), batch('2')], (_, nth) => (nth < 2 ? 'class_full' : 'moved'));
    expect(tried).toEqual(['1→b', '1→c', '2→b']);
  });
});
