import type { Redis } from 'ioredis';
import type { Clock } from '../../platform/clock/clock.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { lineKeys, shareArgs, startOrderLua, type LineBounds } from '../admission/index.js';
import {
  eventLogKey,
  firstEventLua,
  hubChannelPrefix,
  metricsTemplate,
  runRecordKey,
  type FrameTemplate,
} from '../events/index.js';
import { mostTimes } from './told.js';

const moveScript = new LuaScript(new URL('./move-task.lua', import.meta.url), firstEventLua, startOrderLua);

/** Where a task goes. */
export interface Move {
  readonly taskId: string;
  readonly fromPoolId: string;
  readonly toPoolId: string;
  /** Of the line it enters. */
  readonly bounds: Omit<LineBounds, 'makesRoom'>;
  /** What its verbose readers are told. */
  readonly human: string;
}

const outcomes = ['moved', 'full', 'class_full', 'gone'] as const;

/** `full`: the other line has no room; `class_full`: none for tasks of its class. `gone`: it waits no more, or its submit is still under way. */
export type MoveOutcome = (typeof outcomes)[number];

/** Takes a waiting task from one line to another. Rejects when Redis is away. */
export class MoveTask {
  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
  ) {}

  async run({ taskId, fromPoolId, toPoolId, bounds, human }: Move): Promise<MoveOutcome> {
    const records = [runRecordKey(taskId), eventLogKey(taskId), bounds.workersKey, ...bounds.leaseKeys];
    const { plain, verbose } = frameOf(toPoolId, human);
    const reply = await moveScript.run(
      this.redis,
      [...lineKeys(fromPoolId), ...lineKeys(toPoolId), ...records],
      [
        taskId,
        toPoolId,
        bounds.capacity ?? -1,
        bounds.classCapacity ?? -1,
        bounds.slots,
        this.clock.now(),
        hubChannelPrefix,
        mostTimes,
        plain,
        verbose,
        ...shareArgs(bounds.share),
      ],
    );
    const said: unknown = Array.isArray(reply) ? reply[0] : null;
    const outcome = outcomes.find((one) => one === said);
    if (outcome === undefined) throw new Error('unexpected reply of move-task.lua');
    return outcome;
  }
}

/** Its place is known where it takes it: move-task.lua fills the blanks. */
function frameOf(poolId: string, human: string): FrameTemplate {
  const { plain, verbose } = metricsTemplate({
    phase: 'queued',
    queue_position: 0,
    queue_depth: 0,
    pool_id: poolId,
    human,
  });
  const blanked = (text: string): string =>
    text.replace('"queue_position":0,"queue_depth":0', '"queue_position":{position},"queue_depth":{depth}');
  return { plain: blanked(plain), verbose: blanked(verbose) };
}
