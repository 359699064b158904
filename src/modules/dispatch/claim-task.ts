import type { Redis } from 'ioredis';
import type { Clock } from '../../platform/clock/clock.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { lineKeys } from '../admission/index.js';
import { eventLogKey, runRecordKey } from '../events/index.js';
import { leaseKey } from '../pools/index.js';
import type { RunRequest } from '../tasks/index.js';

const claimScript = new LuaScript(new URL('./claim-task.lua', import.meta.url));

export type ClaimOutcome =
  | {
      readonly kind: 'claimed';
      readonly attempt: number;
      readonly replicaId: string;
      readonly lastId: number;
      /** Tokens that earlier attempts left in the log. */
      readonly tokens: number;
      readonly request: RunRequest;
    }
  | { readonly kind: 'full' | 'closed' | 'missing' };

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

  async run(taskId: string, poolId: string, replicas: readonly ClaimableReplica[]): Promise<ClaimOutcome> {
    const now = this.clock.now();
    const keys = [runRecordKey(taskId), eventLogKey(taskId), ...lineKeys(poolId), ...replicas.map(({ id }) => leaseKey(poolId, id))];
    const reply = await claimScript.run(this.redis, keys, [taskId, now, now + this.leaseMs, ...replicas.map(({ slots }) => slots)]);
    if (!Array.isArray(reply)) throw new Error('unexpected reply of claim-task.lua');
    const [kind, attempt, chosen, lastId, tokens, request] = reply as unknown[];
    if (kind !== 'claimed') return { kind: kind === 'full' || kind === 'closed' ? kind : 'missing' };
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
