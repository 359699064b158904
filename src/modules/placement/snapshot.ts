import type { EngineId } from '../../contract/common.js';
import type { PlacementWish } from '../../contract/task-request.js';

/** What placement knows of a replica at one moment. */
export interface ReplicaSnapshot {
  readonly id: string;
  readonly ready: boolean;
  readonly deviceMask: string | null;
  readonly slots: number;
  readonly activeLeases: number;
  /** Free memory of its GPUs, bytes; null while unknown. */
  readonly vramFreeBytes: number | null;
  /** What a token of context takes of it while its task runs, bytes; 0: nothing, the engine set its KV cache aside at start; null: unknown. */
  readonly kvBytesPerToken: number | null;
}

/** What placement knows of a pool at one moment. */
export interface PoolSnapshot {
  readonly id: string;
  readonly engine: EngineId;
  /** What its engine can do (engine-capabilities.ts); null while unknown, then everything is tried. */
  readonly features: ReadonlySet<string> | null;
  /** Version of the settings its replicas sample with. */
  readonly samplerProfile: string;
  /** Every name tasks may call its model by. */
  readonly modelNames: readonly string[];
  readonly ready: boolean;
  /** One sentence on why it is not ready. */
  readonly unreadyReason: string | null;
  /** Context of one task, tokens; null while unknown. */
  readonly ctxMax: number | null;
  readonly replicas: readonly ReplicaSnapshot[];
  readonly waiting: number;
  /** Its line has just had no room for this task. */
  readonly isFull: boolean;
  /** When a task like this would start here and how long it would run, ms, from what was measured; null before anything was. */
  readonly predicted: { readonly startMs: number; readonly runMs: number } | null;
}

/** Something that a task asks of the engine, and the field of the request that does. */
export interface Need {
  readonly feature: string;
  readonly field: string;
}

/** What placement needs to know of a task. */
export interface PlacementRequest {
  readonly modelRef: string;
  readonly engine: EngineId | undefined;
  readonly needs: readonly Need[];
  /** The only version of the sampler's settings that will do; undefined: any. */
  readonly samplerProfile: string | undefined;
  /** Tokens of context the task needs at least. */
  readonly ctxNeeded: number;
  /** The field of the request that asks for it. */
  readonly ctxField: 'ctx' | 'max_tokens';
  /** Tokens of context it is expected to fill at the most: about its prompt, and all it may generate. */
  readonly kvTokens: number;
  /** Where the task's session ran last; null: nowhere, or it has none. */
  readonly affinity: { readonly poolId: string; readonly replicaId: string } | null;
  readonly wish: PlacementWish | undefined;
  /** Whether tasks may pin a pool here. */
  readonly mayPin: boolean;
}
