import { z } from 'zod';
import { engineId } from '../../contract/common.js';
import { poolState } from '../../contract/pools.js';
import type { KnownReplica } from './live-replica.js';

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
  /** Null: the pool manager runs it. */
  handoff: z
    .object({
      engine: engineId,
      model_digest: z.string().nullable(),
      /** The directory the file lies in. */
      directory: z.string(),
    })
    .nullable()
    .default(null),
});
export type Announcement = z.infer<typeof announcement>;

/** Null when it can't be read: such a replica is not used. */
export function readAnnouncement(id: string, json: string): KnownReplica | null {
  let parsed;
  try {
    parsed = announcement.safeParse(JSON.parse(json));
  } catch {
    return null;
  }
  if (!parsed.success) return null;
  const { url, slots, device_mask, pid, state, last_error, ctx_max, engine_version, handoff } = parsed.data;
  return {
    id,
    url,
    slots,
    deviceMask: device_mask,
    pid,
    managed: handoff === null ? { state, lastError: last_error, ctxMax: ctx_max, engineVersion: engine_version } : null,
    claims:
      handoff === null
        ? null
        : {
            source: 'handoff',
            engine: handoff.engine,
            engineVersion: engine_version,
            samplerProfileVersion: null,
            modelDigest: handoff.model_digest,
            ctxMax: ctx_max,
            vramTotalBytes: null,
            vramFreeBytes: null,
          },
  };
}
