import { Agent, type Dispatcher } from 'undici';
import { LeanConnection } from './lean-connection.js';
import { LeanExchange } from './lean-exchange.js';

/** How long an idle connection is kept whose server says nothing of it. */
const keepAliveMs = 30_000;
const longestKeepAliveMs = 300_000;
/** Servers count from another moment than we do. */
const keepAliveMarginMs = 1_000;

/**
 * What asks engines: undici's dispatch, with connections of our own to plain `http:`. There, what a read brings is handed to the reader at
 * once, from one buffer for all connections: no allocation, no stream and no turn of the event loop between. Bodies are texts or null, and
 * headers an object, as `stream-request.ts` gives them. `https:` is undici's own.
 */
export class EngineAgent {
  /** By how long a connection may take to be made: a few, since pools say it. */
  private readonly secure = new Map<number, Agent>();
  private readonly idle = new Map<string, LeanConnection[]>();
  private readonly open = new Set<LeanConnection>();
  private isDestroyed = false;

  /**
   * Asks; the handler hears the answer, or its failure. Must not be called after `destroy`.
   * @param connectMs within which a connection is made, or it fails
   */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler, connectMs: number): void {
    const origin = String(options.origin);
    if (!origin.startsWith('http:')) {
      this.secureAgent(connectMs).dispatch(options, handler);
      return;
    }
    const exchange = LeanExchange.begin(new URL(origin), options, handler);
    if (exchange === null) return;
    (this.takeIdle(origin) ?? this.connect(origin, connectMs)).carry(exchange);
  }

  /** Cuts every connection; what is under way fails. */
  async destroy(): Promise<void> {
    this.isDestroyed = true;
    for (const connection of this.open) connection.destroy();
    await Promise.all([...this.secure.values()].map((agent) => agent.destroy()));
  }

  private secureAgent(connectMs: number): Agent {
    const known = this.secure.get(connectMs);
    if (known !== undefined) return known;
    const agent = new Agent({
      connections: null,
      pipelining: 1,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: longestKeepAliveMs,
      connect: { timeout: connectMs },
    });
    this.secure.set(connectMs, agent);
    return agent;
  }

  /** The youngest: the least likely one to be closed by the other side just now. */
  private takeIdle(origin: string): LeanConnection | undefined {
    const idle = this.idle.get(origin);
    for (let one = idle?.pop(); one !== undefined; one = idle?.pop()) if (one.isOpen) return one;
    return undefined;
  }

  private connect(origin: string, connectMs: number): LeanConnection {
    const connection = new LeanConnection(new URL(origin), connectMs, {
      onIdle: (hintMs) => {
        const others = this.idle.get(origin);
        if (others === undefined) this.idle.set(origin, [connection]);
        else others.push(connection);
        return hintMs === null ? keepAliveMs : Math.min(hintMs - keepAliveMarginMs, longestKeepAliveMs);
      },
      onStale: (exchange) => {
        exchange.wasSent = true;
        if (this.isDestroyed) exchange.fail(Object.assign(new Error('we are stopping'), { code: 'UND_ERR_DESTROYED' }));
        else this.connect(origin, connectMs).carry(exchange);
      },
      onGone: () => {
        this.open.delete(connection);
        const left = this.idle.get(origin)?.filter((other) => other !== connection) ?? [];
        if (left.length > 0) this.idle.set(origin, left);
        else this.idle.delete(origin);
      },
    });
    this.open.add(connection);
    return connection;
  }
}
