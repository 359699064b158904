import type { PlacementRequest, PoolSnapshot, ReplicaSnapshot } from './snapshot.js';

/** Whether the KV cache of a task fits into the free GPU memory of a replica. Where something is not known it is let pass. */
export type KvRoom = 'set-aside' | 'enough' | 'lacking' | 'unknown';

/** @param tokens of context that the task fills */
export function kvRoomOf({ kvBytesPerToken, vramFreeBytes }: ReplicaSnapshot, tokens: number): KvRoom {
  if (kvBytesPerToken === 0) return 'set-aside';
  if (kvBytesPerToken === null || vramFreeBytes === null) return 'unknown';
  return kvBytesPerToken * tokens <= vramFreeBytes ? 'enough' : 'lacking';
}

/**
 * Tokens that the KV cache of a replica may still grow by, where that is less than a task can fill. Null: it does not grow, there is enough
 * for any task, or it is not known. Pure. @param ctxMax context of one task; null while unknown
 */
export function kvRoomTokens(
  { kvBytesPerToken, vramFreeBytes }: ReplicaSnapshot,
  ctxMax: number | null,
): number | null {
  if (kvBytesPerToken === 0 || kvBytesPerToken === null || vramFreeBytes === null) return null;
  const tokens = Math.floor(vramFreeBytes / kvBytesPerToken);
  return ctxMax !== null && tokens >= ctxMax ? null : tokens;
}

/** Of a task, tokens that it fills in a pool; never more than the pool gives one task. */
export function kvTokensIn({ kvTokens }: PlacementRequest, { ctxMax }: PoolSnapshot): number {
  return Math.min(kvTokens, ctxMax ?? kvTokens);
}

/** Why no replica that may have the task has the memory for its KV cache now; null: one has, or may have. */
export function memoryLack(request: PlacementRequest, pool: PoolSnapshot): string | null {
  const tokens = kvTokensIn(request, pool);
  const able = ableReplicas(request, pool);
  if (able.length === 0 || able.some((replica) => kvRoomOf(replica, tokens) !== 'lacking')) return null;
  const roomiest = able.reduce((most, one) => ((one.vramFreeBytes ?? 0) > (most.vramFreeBytes ?? 0) ? one : most));
  const [need, free] = [(roomiest.kvBytesPerToken ?? 0) * tokens, roomiest.vramFreeBytes ?? 0].map(mebibytes);
  return `the task's KV cache takes ${need}, its roomiest replica has ${free} free`;
}

/** That a pool was let pass without knowing whether the memory suffices; null: it is known, or nothing needs to be. */
export function memoryDoubt(request: PlacementRequest, pool: PoolSnapshot): string | null {
  const rooms = ableReplicas(request, pool).map((replica) => kvRoomOf(replica, kvTokensIn(request, pool)));
  if (!rooms.includes('unknown') || rooms.some((room) => room === 'enough' || room === 'set-aside')) return null;
  return 'whether GPU memory for its KV cache is free there is not known, so it was let pass';
}

function ableReplicas({ wish }: PlacementRequest, { replicas }: PoolSnapshot): ReplicaSnapshot[] {
  const mask = wish?.require_device_mask;
  return replicas.filter(({ ready, deviceMask }) => ready && (mask === undefined || mask === deviceMask));
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
