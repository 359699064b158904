import type {
  FoundHandoff,
  HandoffAnnouncer,
  ReplicaAnnouncement,
  ReplicaAnnouncer,
} from '../../modules/pool-manager/index.js';
import type { Announcement, AnnounceHandoffs, AnnounceReplica, HandedOver } from '../../modules/pools/index.js';

const repeatMs = 5000;

/** Carries what the pool manager says of its replicas and of handoffs to all processes. What is said is repeated, so that a Redis that lost it learns it again. */
export class RedisAnnouncer implements ReplicaAnnouncer, HandoffAnnouncer {
  private readonly latest = new Map<string, ReplicaAnnouncement>();
  private readonly timer: NodeJS.Timeout;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly announceReplica: AnnounceReplica,
    private readonly announceHandoffs: AnnounceHandoffs,
  ) {
    this.timer = setInterval(() => {
      for (const announcement of this.latest.values()) this.write(announcement);
    }, repeatMs);
    this.timer.unref();
  }

  announce(announcement: ReplicaAnnouncement): void {
    this.latest.set(keyOf(announcement.poolId, announcement.replicaId), announcement);
    this.write(announcement);
  }

  withdraw(poolId: string, replicaId: string, reason: string): void {
    const before = this.latest.get(keyOf(poolId, replicaId));
    if (before !== undefined) this.announce({ ...before, url: null, state: 'failed', lastError: reason });
  }

  present(directoryId: string, handoffs: readonly FoundHandoff[]): void {
    const handedOver = handoffs.map((found) => handedOverOf(directoryId, found));
    this.writing = this.writing.then(() => this.announceHandoffs.run(directoryId, handedOver).catch(() => undefined));
  }

  /** Resolves when everything said so far was written, or could not be. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.writing;
  }

  private write(announcement: ReplicaAnnouncement): void {
    const { poolId, replicaId } = announcement;
    // One after the other: the last word must also be the last one written. What fails is repeated by the timer.
    this.writing = this.writing.then(() =>
      this.announceReplica.run(poolId, replicaId, wireForm(announcement)).catch(() => undefined),
    );
  }
}

function keyOf(poolId: string, replicaId: string): string {
  return `${poolId}/${replicaId}`;
}

function wireForm(announcement: ReplicaAnnouncement): Announcement {
  return {
    url: announcement.state === 'ready' ? announcement.url : null,
    slots: announcement.slots,
    device_mask: announcement.deviceMask,
    pid: announcement.pid,
    state: announcement.state,
    last_error: announcement.lastError,
    ctx_max: announcement.ctxMax,
    engine_version: announcement.engineVersion,
    kv_bytes_per_token: announcement.kvBytesPerToken,
    handoff: null,
  };
}

function handedOverOf(directory: string, { handoff, kvBytesPerToken }: FoundHandoff): HandedOver {
  const announcement: Announcement = {
    url: handoff.url,
    slots: handoff.slots,
    device_mask: handoff.device_mask ?? null,
    pid: handoff.pid ?? null,
    state: 'ready',
    last_error: null,
    ctx_max: handoff.ctx_max ?? null,
    engine_version: handoff.engine_version ?? null,
    kv_bytes_per_token: kvBytesPerToken,
    handoff: { engine: handoff.engine, model_digest: digestOf(handoff.model?.digest), directory },
  };
  return { poolId: handoff.pool_id, replicaId: handoff.replica_id, announcement };
}

/** Some write the algorithm before it, some don't. */
function digestOf(digest: string | null | undefined): string | null {
  if (digest === null || digest === undefined) return null;
  return /^[0-9a-f]{64}$/.test(digest) ? `sha256:${digest}` : digest;
}
