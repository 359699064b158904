import type { EngineId } from '../../contract/common.js';

/** What somebody said of an engine when he bound it at run time. Null: nothing. The engine's own word counts where it has one. */
export interface ReplicaClaims {
  /** Over HTTP, kept in Postgres; or by a handoff file, announced in Redis. */
  readonly source: 'registration' | 'handoff';
  readonly engine: EngineId;
  readonly engineVersion: string | null;
  readonly samplerProfileVersion: string | null;
  readonly modelDigest: string | null;
  readonly ctxMax: number | null;
  readonly vramTotalBytes: number | null;
  readonly vramFreeBytes: number | null;
}
