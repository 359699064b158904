import type { LineGauge } from '../../modules/admission/index.js';
import { FollowMove, type PlaceTask } from '../../modules/tasks/index.js';
import {
  LineKeeper,
  LookAtLine,
  MoveTask,
  PlaceAgain,
  PoolSteadiness,
  TellWaiting,
  WaitingTelemetry,
} from '../../modules/waiting/index.js';
import type { Ground } from '../ground/ground.js';

/** A process that looks no more loses a line to another one after so many turns. */
const turnsOfAKeeper = 4;
const leastKeeperMs = 2000;

/** Looks after the lines, beside all other processes that admit. */
export function lineKeeperOf(ground: Ground, gauge: LineGauge, placeTask: PlaceTask): LineKeeper {
  const { redis, pools, line, tasks, queues, eventLog, clock, processId, config } = ground;
  const pauseMs = config.streaming.queue_frame_ms;
  const leaseMs = Math.max(leastKeeperMs, turnsOfAKeeper * pauseMs);
  const steadiness = new PoolSteadiness(clock);
  pools.onChange((poolId) => steadiness.look(pools.find(poolId)));
  const telemetry = new WaitingTelemetry(ground.metrics, ground.log);
  const moving = {
    moveTask: new MoveTask(redis.commands, clock),
    followMove: new FollowMove(tasks, queues),
    telemetry,
  };
  return new LineKeeper({
    pools,
    gauge,
    steadiness,
    lookAtLine: new LookAtLine(redis.commands, pools, clock, { processId, leaseMs }),
    tellWaiting: new TellWaiting(eventLog, clock, pauseMs),
    telemetry,
    placeAgain: new PlaceAgain({ ...moving, pools, line, gauge, steadiness, tasks, placeTask }),
  });
}
