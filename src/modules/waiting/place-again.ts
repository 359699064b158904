import type { Line, LineGauge } from '../admission/index.js';
import type { LivePool, PoolRegistry } from '../pools/index.js';
import {
  fitsReservation,
  lineBounds,
  type FollowMove,
  type MovedTask,
  type OpenTask,
  type PlaceTask,
  type TasksRepository,
} from '../tasks/index.js';
import type { MoveTask } from './move-task.js';
import { LinesFoundFull } from './lines-found-full.js';
import { movedNarration } from './narration.js';
import type { PoolSteadiness } from './pool-steadiness.js';
import type { WaitingTelemetry } from './waiting.telemetry.js';

export interface PlaceAgainCollaborators {
  readonly pools: PoolRegistry;
  readonly line: Pick<Line, 'page'>;
  readonly gauge: Pick<LineGauge, 'refresh'>;
  readonly steadiness: PoolSteadiness;
  readonly tasks: Pick<TasksRepository, 'movableOf'>;
  readonly placeTask: PlaceTask;
  readonly moveTask: MoveTask;
  readonly followMove: FollowMove;
  readonly telemetry: WaitingTelemetry;
}

/** So many at a time: then placement looks anew at how long the lines are. */
const pageSize = 64;
/** Of one run: others wait to be looked after, too. */
const mostPages = 16;

interface Page {
  readonly moved: number;
  /** Another pool could take a task, and its line has no room. */
  readonly isRoomLacking: boolean;
}

/**
 * Places the waiting tasks of a pool again that has not been ready for long, in order of their line, where their requests allow it and another
 * pool can take them. The others stay where they are.
 */
export class PlaceAgain {
  /** Of each pool, how many at the head of its line were found to stay, whatever room there is elsewhere. */
  private readonly stayed = new Map<string, number>();

  constructor(private readonly with_: PlaceAgainCollaborators) {}

  /** Rejects when a store is away; what was moved by then is moved. */
  async run(from: LivePool): Promise<void> {
    const { pools, line, gauge } = this.with_;
    const { id } = from.config;
    let at = this.stayed.get(id) ?? 0;
    for (let page = 0; page < mostPages; page++) {
      if (this.targets().length === 0 || pools.find(id)?.ready !== false) return;
      const taskIds = await line.page(id, at, pageSize);
      const { moved, isRoomLacking } = await this.movePage(from, taskIds);
      // Who finds no room is the first to be asked again.
      at = isRoomLacking || taskIds.length < pageSize ? 0 : at + taskIds.length - moved;
      this.stayed.set(id, at);
      if (isRoomLacking || moved === 0 || taskIds.length < pageSize) return;
      await gauge.refresh();
    }
  }

  /** Pools that tasks of others may be given to. */
  private targets(): LivePool[] {
    const { pools, steadiness } = this.with_;
    return pools.all().filter((pool) => steadiness.isSteady(pool));
  }

  private async movePage(from: LivePool, taskIds: readonly string[]): Promise<Page> {
    const { tasks, followMove } = this.with_;
    const found = new Map((await tasks.movableOf(from.config.id, taskIds)).map((task) => [task.taskId, task]));
    const moved: MovedTask[] = [];
    const full = new LinesFoundFull();
    try {
      for (const taskId of taskIds) {
        const task = found.get(taskId);
        const outcome = task === undefined ? null : await this.move(from, task, full);
        if (outcome !== null) moved.push(outcome);
      }
    } finally {
      await followMove.run(moved);
    }
    return { moved: moved.length, isRoomLacking: full.isAny };
  }

  /** To the best pool that has room; null: it stays, for now at least. */
  private async move(from: LivePool, task: OpenTask, full: LinesFoundFull): Promise<MovedTask | null> {
    const { pools, steadiness, moveTask, placeTask, telemetry } = this.with_;
    const unreadyMs = steadiness.lastedMs(from);
    let targets = this.targets().filter((pool) => fitsReservation(task, pool));
    while (targets.length > 0) {
      const decision = placeTask.run(task.request, targets);
      const to = decision.kind === 'none' ? null : pools.find(decision.poolId);
      if (decision.kind === 'none' || to === null) return null;
      targets = targets.filter((pool) => pool.config.id !== to.config.id);
      if (full.has(to.config.id, task.priority)) continue;
      const outcome = await moveTask.run({
        taskId: task.taskId,
        fromPoolId: from.config.id,
        toPoolId: to.config.id,
        bounds: lineBounds(to, task.priority, pools),
        human: movedNarration(unreadyMs, decision.reasons[0] ?? ''),
      });
      if (outcome === 'gone') return null;
      if (outcome === 'moved') {
        telemetry.placedAgain(task, to, decision, unreadyMs);
        return { task, toPoolId: to.config.id, engine: to.config.engine.id, decision };
      }
      full.add(to.config.id, outcome === 'full' ? null : task.priority);
    }
    return null;
  }
}
