import type { Priority } from '../../contract/common.js';
import type { BatchShare } from './batch-share.js';
import { droppedKey, lineKey, lineSequenceKey, lineSumsKey, lineTokensKey } from './line-keys.js';

export interface LineEntry {
  readonly taskId: string;
  readonly poolId: string;
  readonly priority: Priority;
  readonly expectedTokens: number;
}

/** What overdue batch tasks of a pool get before interactive ones, as its scripts need it. */
export interface OverdueShare extends BatchShare {
  /** Batch tasks are overdue that have waited for so long. */
  readonly maxWaitMs: number;
  /** What the keys of run records begin with. */
  readonly runPrefix: string;
}

/** `share` of the scripts, see start-order.lua. */
export function shareArgs({ slots, between, maxWaitMs, runPrefix }: OverdueShare): (string | number)[] {
  return [slots, between, maxWaitMs, runPrefix];
}

/** Bounds and surroundings of a pool's line. */
export interface LineBounds {
  /** Waiting tasks at most; null: no bound (re-queueing what was accepted before). */
  readonly capacity: number | null;
  readonly classCapacity: number | null;
  /** Whether the oldest waiting task of the lowest class makes room for a newcomer where a bound is reached. */
  readonly makesRoom: boolean;
  readonly slots: number;
  readonly share: OverdueShare;
  /** Redis keys of the pool's leases and of its live workers. */
  readonly leaseKeys: readonly string[];
  readonly workersKey: string;
}

/** How a line looked at the moment of entry, the newcomer not counted. */
export interface LineView {
  /** Waiting tasks that would start before this one if slots came free at this moment (start-order.lua), free slots taken off. */
  readonly position: number;
  readonly waiting: Readonly<Record<Priority, number>>;
  /** Tokens the waiting tasks are expected to make. */
  readonly tokens: Readonly<Record<Priority, number>>;
  readonly busySlots: number;
}

export interface EntryOutcome {
  /** `full`: a bound forbids it. `present`: the task waits already, or has begun. `dropped`: it lost its place before, and is about to end. */
  readonly kind: 'full' | 'entered' | 'present' | 'dropped';
  readonly view: LineView;
  /** The task that lost its place to this one: it must be ended, see `dropped`. */
  readonly droppedTaskId: string | null;
}

/** What enter-line.lua is told that tasks of one class and pool have in common. */
export interface Entrance {
  /** Names all the rest. */
  readonly kind: string;
  readonly keys: readonly string[];
  /** ARGV 1–9. */
  readonly args: readonly (string | number)[];
}

export function entranceOf({ poolId, priority }: LineEntry, bounds: LineBounds): Entrance {
  const { capacity, classCapacity, slots, makesRoom, share, workersKey, leaseKeys } = bounds;
  const keys = [...lineKeys(poolId), droppedKey(poolId), lineSequenceKey, workersKey, ...leaseKeys];
  const args = [priority, capacity ?? -1, classCapacity ?? -1, slots, makesRoom ? 1 : 0, ...shareArgs(share)];
  return { kind: `${args.join(' ')} ${keys.join(' ')}`, keys, args };
}

/** KEYS 1–4 of the line's scripts. */
export function lineKeys(poolId: string): string[] {
  return [lineKey(poolId, 'interactive'), lineKey(poolId, 'batch'), lineTokensKey(poolId), lineSumsKey(poolId)];
}

const entryKinds = ['full', 'entered', 'present', 'dropped'] as const;

/** What enter-line.lua answers for a task; see there. */
export function entryOutcome(reply: unknown): EntryOutcome {
  const parts = String(reply).split(' ');
  const dropped = parts[7];
  const [entered, position = 0, interactive = 0, batch = 0, ofInteractive = 0, ofBatch = 0, busySlots = 0] =
    parts.map(Number);
  const kind = entryKinds[entered ?? -1];
  if (kind === undefined || dropped === undefined) throw new Error('unexpected reply of enter-line.lua');
  return {
    kind,
    view: {
      position,
      waiting: { interactive, batch },
      tokens: { interactive: ofInteractive, batch: ofBatch },
      busySlots,
    },
    droppedTaskId: dropped === '' ? null : dropped,
  };
}
