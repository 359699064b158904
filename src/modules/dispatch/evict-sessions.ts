import type { Redis } from 'ioredis';
import type { SessionCaches } from '../../engines/engine-router.port.js';
import { evictedChannel, type Sessions } from '../sessions/index.js';

const sweepMs = 10_000;

/**
 * Has engines drop what they keep of sessions that are no more. A deletion is told at once to all workers, each of which knows the caches of
 * the runs it made; who expired, whose deletion was not heard, or whose last run ended after it, is found by asking now and then.
 */
export class EvictSessions {
  /** Sessions whose runs ended here since they were last found gone. No more than ran here within a time to live. */
  private readonly used = new Set<string>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly subscriber: Redis,
    private readonly sessions: Pick<Sessions, 'gone'>,
    private readonly engines: SessionCaches,
  ) {}

  /** Rejects when Redis is away. */
  async start(): Promise<void> {
    this.subscriber.on('message', this.onMessage);
    await this.subscriber.subscribe(evictedChannel);
    this.timer = setInterval(() => void this.sweep(), sweepMs);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.subscriber.off('message', this.onMessage);
  }

  /** A run of a session has ended here: an engine may keep its cache. */
  ran(sessionId: string | undefined): void {
    if (sessionId !== undefined) this.used.add(sessionId);
  }

  /** Looks for sessions that are no more. Never rejects. */
  async sweep(): Promise<void> {
    if (this.used.size === 0) return;
    try {
      for (const sessionId of await this.sessions.gone([...this.used])) this.evict(sessionId);
    } catch {
      // Redis is away: the next look will tell.
    }
  }

  private readonly onMessage = (channel: string, sessionId: string): void => {
    if (channel === evictedChannel) this.evict(sessionId);
  };

  private evict(sessionId: string): void {
    this.used.delete(sessionId);
    // An engine that is lost has lost its cache as well.
    this.engines.evictSession(sessionId).catch(() => undefined);
  }
}
