import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * Stands before a server and passes on all that both sides say, but can hold its answers back: what is to happen in the middle of a
 * stream then happens there, however fast the server is.
 */
export class Valve {
  readonly url: string;
  private frames = Number.POSITIVE_INFINITY;
  /** Frames that each open connection has passed on since it was last said how many may pass. */
  private readonly passed = new Map<Socket, number>();
  private readonly held = new Set<() => void>();

  private constructor(
    private readonly server: ReturnType<typeof createServer>,
    private readonly target: URL,
  ) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (client) => this.join(client));
  }

  static async before(url: string): Promise<Valve> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Valve(server, new URL(url));
  }

  /** From now on every connection's answers stand still once about this many frames have passed. */
  holdAfter(frames: number): void {
    this.frames = frames;
    this.passed.clear();
  }

  /** Lets all go on; nothing more is held. */
  open(): void {
    this.frames = Number.POSITIVE_INFINITY;
    for (const release of this.held) release();
    this.held.clear();
  }

  close(): void {
    this.server.close();
  }

  private join(client: Socket): void {
    const server = connect(Number(this.target.port), this.target.hostname);
    client.pipe(server);
    server.on('data', (chunk: Buffer) => {
      const passed = (this.passed.get(client) ?? 0) + chunk.toString('latin1').split('data: ').length - 1;
      this.passed.set(client, passed);
      client.write(chunk);
      if (passed < this.frames) return;
      server.pause();
      this.held.add(() => server.resume());
    });
    server.on('end', () => client.end());
    const cut = (): void => {
      this.passed.delete(client);
      client.destroy();
      server.destroy();
    };
    for (const side of [client, server]) side.on('error', cut).on('close', cut);
  }
}
