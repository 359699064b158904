import type { Redis } from 'ioredis';
import type { Clock } from '../../platform/clock/clock.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { droppedKey, lineKeys } from '../admission/index.js';
import { eventLogKey, runRecordKey } from '../events/index.js';
import { leaseKey } from '../pools/index.js';
import type { RunRequest } from '../tasks/index.js';

const startNowScript = new LuaScript(new URL('./start-now.lua', import.meta.url));
const claimScript = new LuaScript(new URL('./claim-task.lua', import.meta.url));

export interface Claimed {
  readonly kind: 'claimed';
  readonly attempt: number;
  readonly replicaId: string;
  readonly lastId: number;
  /** Tokens that earlier attempts left in the log. */
  readonly tokens: number;
  readonly request: RunRequest;
}

export type ClaimOutcome = Claimed | { readonly kind: 'full' | 'held' | 'closed' | 'missing' };

/** A task that is about to be accepted. */
export interface StartRequest {
  readonly taskId: string;
  readonly poolId: string;
  readonly hubId: string | null;
  readonly request: RunRequest;
  readonly startedFrame: string;
}

/** Long enough for the row to be written, or to fail. */
const unconfirmedSeconds = 300;

/** A replica that may be claimed, best first. */
export interface ClaimableReplica {
  readonly id: string;
  readonly slots: number;
}

/** Claims a task and a slot for this worker. Rejects when Redis is away. */
export class ClaimTask {
  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
    private readonly leaseMs: number,
  ) {}

  /** Claims a slot for a task that has no log yet, if nobody waits for the pool. Null: it must take the way through the queue. */
  async startNow(start: StartRequest, replica: ClaimableReplica): Promise<Claimed | null> {
    const { taskId, poolId, hubId, request, startedFrame } = start;
    const now = this.clock.now();
    const [interactive = '', batch = ''] = lineKeys(poolId);
    const keys = [runRecordKey(taskId), eventLogKey(taskId), interactive, batch, leaseKey(poolId, replica.id)];
    const until = now + this.leaseMs;
    const args = [
      taskId,
      now,
      until,
      hubId ?? '',
      JSON.stringify(request),
      startedFrame,
      unconfirmedSeconds,
      replica.slots,
    ];
    if ((await startNowScript.run(this.redis, keys, args)) !== 1) return null;
    return { kind: 'claimed', attempt: 1, replicaId: replica.id, lastId: 1, tokens: 0, request };
  }

  async run(taskId: string, poolId: string, replicas: readonly ClaimableReplica[]): Promise<ClaimOutcome> {
    const now = this.clock.now();
    const keys = [
      runRecordKey(taskId),
      eventLogKey(taskId),
      ...lineKeys(poolId),
      droppedKey(poolId),
      ...replicas.map(({ id }) => leaseKey(poolId, id)),
    ];
    const reply = await claimScript.run(this.redis, keys, [
      taskId,
      now,
      now + this.leaseMs,
      ...replicas.map(({ slots }) => slots),
    ]);
    if (!Array.isArray(reply)) throw new Error('unexpected reply of claim-task.lua');
    const [kind, attempt, chosen, lastId, tokens, request] = reply as unknown[];
    if (kind !== 'claimed') return { kind: kind === 'full' || kind === 'held' || kind === 'closed' ? kind : 'missing' };
    const replica = replicas[Number(chosen) - 1];
    if (replica === undefined || typeof request !== 'string') throw new Error('unexpected reply of claim-task.lua');
    // Written by ourselves when the task was accepted.
    return {
      kind,
      attempt: Number(attempt),
      replicaId: replica.id,
      lastId: Number(lastId),
      tokens: Number(tokens),
      request: JSON.parse(request) as RunRequest,
    };
  }
}
