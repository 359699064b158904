import type { PackagePool, PoolCollaborators, PoolManagerSettings } from './pool-settings.js';
import { PoolSupervisor } from './pool-supervisor.js';
import type { PoolEvents } from './pool-telemetry.js';
import type { ReplicaAnnouncement } from './replica-announcer.port.js';

/** Runs the engines of all package pools of this process. */
export class PoolManager {
  private readonly supervisors = new Map<string, PoolSupervisor>();
  private readonly listeners = { status: new Set<PoolEvents['status']>(), progress: new Set<PoolEvents['progress']>() };

  constructor(
    private readonly settings: PoolManagerSettings,
    private readonly collaborators: PoolCollaborators,
  ) {}

  /** Starts a supervisor per pool and returns at once: what takes long is told by listeners and announcements. Pools it runs are kept. */
  start(pools: readonly PackagePool[]): void {
    const events: PoolEvents = {
      status: (status) => this.listeners.status.forEach((listener) => listener(status)),
      progress: (line) => this.listeners.progress.forEach((listener) => listener(line)),
    };
    for (const pool of pools) {
      if (this.supervisors.has(pool.id)) continue;
      const supervisor = new PoolSupervisor(pool, this.settings, this.collaborators, events);
      this.supervisors.set(pool.id, supervisor);
      supervisor.start();
    }
  }

  /** Stops all engines. Resolves when no process of theirs is left. */
  async stop(): Promise<void> {
    await Promise.all([...this.supervisors.values()].map((supervisor) => supervisor.stop()));
    this.supervisors.clear();
  }

  /** Where each pool stands now. */
  statuses(): ReplicaAnnouncement[] {
    return [...this.supervisors.values()].map((supervisor) => supervisor.status);
  }

  /** Listens to changes of state; the returned function ends it. */
  onStatus(listener: PoolEvents['status']): () => void {
    this.listeners.status.add(listener);
    return () => this.listeners.status.delete(listener);
  }

  /** Listens to lines about long steps; the returned function ends it. */
  onProgress(listener: PoolEvents['progress']): () => void {
    this.listeners.progress.add(listener);
    return () => this.listeners.progress.delete(listener);
  }
}
