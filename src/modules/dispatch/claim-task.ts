import type { Redis } from 'ioredis';
import type { Clock } from '../../platform/clock/clock.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { batchShare, droppedKey, lineKeys, lineSequenceKey } from '../admission/index.js';
import { eventLogKey, firstEventLua, runRecordKey } from '../events/index.js';
import { leaseKey, type LivePool } from '../pools/index.js';
import { sessionKeyPrefix } from '../sessions/index.js';
import { readRunRequest, runRequestText, type RunRequest } from '../tasks/index.js';

const startNowScript = new LuaScript(new URL('./start-now.lua', import.meta.url));
const claimScript = new LuaScript(new URL('./claim-task.lua', import.meta.url), firstEventLua);

export interface Claimed {
  readonly kind: 'claimed';
  readonly taskId: string;
  readonly attempt: number;
  readonly replicaId: string;
  readonly lastId: number;
  /** Tokens that earlier attempts left in the log. */
  readonly tokens: number;
  readonly request: RunRequest;
  /** The device mask that its replica must have; null: any. */
  readonly deviceMask: string | null;
  /** When the answer was begun, Unix ms: by the attempt that gave the first token, else by this one. */
  readonly startedMs: number;
  /** Null: this attempt begins the answer. */
  readonly earlier: EarlierAttempts | null;
}

/** What is known of the attempts that left tokens in the log. */
export interface EarlierAttempts {
  /** How often the answer was continued, this time included. */
  readonly continuations: number;
  /** Tokens of the prompt; 0: the engine had not said when its first token came. */
  readonly tokensIn: number;
  /** See `originOf`; null: not known. */
  readonly origin: string | null;
}

/** See the replies of claim-task.lua. */
export type ClaimOutcome = Claimed | { readonly kind: 'full' | 'blocked' | 'held' | 'closed' | 'missing' | 'idle' };

/** A task that is about to be accepted. */
export interface StartRequest {
  readonly taskId: string;
  readonly poolId: string;
  readonly hubId: string | null;
  readonly request: RunRequest;
  readonly startedFrame: string;
  /** See replicaMarks. */
  readonly marks: readonly string[];
}

/** Long enough for the row to be written, or to fail. */
const unconfirmedSeconds = 300;

/** A replica that may be claimed, best first. */
export interface ClaimableReplica {
  readonly id: string;
  readonly slots: number;
  readonly deviceMask: string | null;
  /** Tokens that its KV cache may still grow by; null: any task fits, for all that is known. */
  readonly kvRoomTokens: number | null;
}

/** Claims a task and a slot for this worker. Rejects when Redis is away. */
export class ClaimTask {
  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
    private readonly leaseMs: number,
  ) {}

  /** Claims a slot for a task that has no log yet, if nobody waits for the pool. Null: it must take the way through the queue. */
  async startNow(start: StartRequest, replica: Pick<ClaimableReplica, 'id' | 'slots'>): Promise<Claimed | null> {
    const { taskId, poolId, hubId, request, startedFrame } = start;
    const now = this.clock.now();
    const [interactive = '', batch = ''] = lineKeys(poolId);
    const records = [runRecordKey(taskId), eventLogKey(taskId)];
    const keys = [...records, interactive, batch, leaseKey(poolId, replica.id), lineSequenceKey];
    const until = now + this.leaseMs;
    const args = [
      taskId,
      now,
      until,
      hubId ?? '',
      runRequestText(request),
      startedFrame,
      unconfirmedSeconds,
      replica.slots,
      request.priority,
      ...start.marks,
    ];
    if ((await startNowScript.run(this.redis, keys, args)) !== 1) return null;
    const mask = start.marks.indexOf('mask');
    const deviceMask = mask < 0 ? null : (start.marks[mask + 1] ?? null);
    const claimed = { taskId, attempt: 1, replicaId: replica.id, lastId: 1, tokens: 0, request, deviceMask };
    return { kind: 'claimed', ...claimed, startedMs: now, earlier: null };
  }

  /**
   * Claims whoever starts next: the task that the worker's ticket names, if it has lost its worker or its place in line; else the first in line.
   * @param named null: the ticket names nobody that could be lost
   */
  next(pool: LivePool, replicas: readonly ClaimableReplica[], named: string | null): Promise<ClaimOutcome> {
    return this.claim('next', pool, replicas, named ?? '');
  }

  /** Claims this task for one more attempt. */
  again(pool: LivePool, replicas: readonly ClaimableReplica[], taskId: string): Promise<ClaimOutcome> {
    return this.claim('this', pool, replicas, taskId);
  }

  private async claim(
    whom: 'next' | 'this',
    pool: LivePool,
    replicas: readonly ClaimableReplica[],
    named: string,
  ): Promise<ClaimOutcome> {
    const { config, slots } = pool;
    const now = this.clock.now();
    const others = pool.replicas.map(({ known }) => known.id).filter((id) => !replicas.some((one) => one.id === id));
    const leases = [...replicas.map(({ id }) => id), ...others].map((id) => leaseKey(config.id, id));
    const share = batchShare(slots, config.admission.batch_share);
    const reply = await claimScript.run(
      this.redis,
      [...lineKeys(config.id), droppedKey(config.id), ...leases],
      [
        named,
        whom,
        now,
        now + this.leaseMs,
        runRecordKey(''),
        eventLogKey(''),
        config.admission.batch_max_wait_ms,
        share.slots,
        share.between,
        sessionKeyPrefix,
        config.id,
        ...replicas.flatMap((replica) => [replica.slots, replica.deviceMask ?? '', replica.kvRoomTokens ?? '']),
        ...others.flatMap(() => [0, '', '']),
      ],
    );
    return claimOutcome(reply, replicas);
  }
}

const kinds = ['full', 'blocked', 'held', 'closed', 'missing', 'idle'] as const;

function claimOutcome(reply: unknown, replicas: readonly ClaimableReplica[]): ClaimOutcome {
  if (!Array.isArray(reply)) throw new Error('unexpected reply of claim-task.lua');
  const [kind, taskId, attempt, chosen, lastId, tokens, request, ...begun] = reply as unknown[];
  const [startedMs, continuations, facts, isMoved, mask] = begun;
  const other = kinds.find((one) => one === kind);
  if (other !== undefined) return { kind: other };
  const replica = replicas[Number(chosen) - 1];
  if (replica === undefined || typeof taskId !== 'string' || typeof request !== 'string') {
    throw new Error('unexpected reply of claim-task.lua');
  }
  return {
    kind: 'claimed',
    taskId,
    attempt: Number(attempt),
    replicaId: replica.id,
    lastId: Number(lastId),
    tokens: Number(tokens),
    // What it was told at acceptance of its start says nothing of a pool that it was placed in later.
    request: { ...readRunRequest(request), ...(isMoved === 1 && { told: null }) },
    deviceMask: typeof mask === 'string' && mask !== '' ? mask : null,
    startedMs: Number(startedMs),
    earlier: Number(tokens) === 0 ? null : { continuations: Number(continuations), ...originFacts(String(facts)) },
  };
}

/** From what the writer of the first token noted. */
function originFacts(facts: string): Omit<EarlierAttempts, 'continuations'> {
  const [, tokensIn, origin] = facts.split(',');
  return { tokensIn: Number(tokensIn ?? 0), origin: origin ?? null };
}
