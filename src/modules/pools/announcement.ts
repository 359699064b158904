import { z } from 'zod';
import { engineId } from '../../contract/common.js';
import { poolState } from '../../contract/pools.js';
import type { KnownReplica } from './live-replica.js';
import type { ReplicaClaims } from './replica-claims.js';

/** What a pool manager says of a replica that it runs or found a handoff of; lies as JSON in Redis, so that every process knows. */
const announcement = z.object({
  url: z.string().nullable(),
  slots: z.int().nullable(),
  device_mask: z.string().nullable(),
  pid: z.int().nullable(),
  state: poolState,
  last_error: z.string().nullable(),
  ctx_max: z.int().nullable(),
  engine_version: z.string().nullable(),
  /** What a token of context takes in its KV cache, by its model's metadata; an earlier release does not say. */
  kv_bytes_per_token: z.int().positive().nullable().default(null),
  /** Null: the pool manager runs it. */
  handoff: z
    .object({
      engine: engineId,
      model_digest: z.string().nullable(),
      /** Identity of the directory that the file lies in. */
      directory: z.string(),
    })
    .nullable()
    .default(null),
});
export type Announcement = z.infer<typeof announcement>;

/** Null when it can't be read: such a replica is not used. */
export function parseAnnouncement(json: string): Announcement | null {
  try {
    return announcement.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}

/** The replica that an announcement tells of; null when it can't be read. */
export function readAnnouncement(id: string, json: string): KnownReplica | null {
  const said = parseAnnouncement(json);
  if (said === null) return null;
  const { state, last_error: lastError, ctx_max: ctxMax, engine_version: engineVersion } = said;
  return {
    id,
    url: said.url,
    slots: said.slots,
    deviceMask: said.device_mask,
    pid: said.pid,
    kvBytesPerToken: said.kv_bytes_per_token,
    managed: said.handoff === null ? { state, lastError, ctxMax, engineVersion } : null,
    claims: claimsOf(said),
  };
}

function claimsOf({ handoff, engine_version: engineVersion, ctx_max: ctxMax }: Announcement): ReplicaClaims | null {
  if (handoff === null) return null;
  return {
    source: 'handoff',
    engine: handoff.engine,
    engineVersion,
    samplerProfileVersion: null,
    modelDigest: handoff.model_digest,
    ctxMax,
    vramTotalBytes: null,
    vramFreeBytes: null,
  };
}
