import { createConnection, createServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import {
  Server,
  ServerCredentials,
  type Metadata,
  type ServerDuplexStream,
  type ServiceDefinition,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { within } from '../support/wait-until.js';

const protoFile = new URL('../../src/engines/inference-service.proto', import.meta.url).pathname;

/** What `ModelStreamInfer` answers to a request. */
export interface Script {
  readonly responses?: readonly object[];
  /** What comes after them: the end of the call, one with an error status, or nothing. */
  readonly after?: 'end' | 'stall' | { readonly code: number; readonly details: string };
}

/** A Triton that speaks gRPC and answers whatever a test says. */
export class FakeTriton {
  /** Answer to `ModelMetadata`; an error status instead of it. */
  model: object | { readonly code: number; readonly details: string } = {};
  isReady = true;
  script: Script = {};
  /** Requests to `ModelStreamInfer` since the last `answers`, with their headers. */
  asked: { readonly request: Record<string, unknown>; readonly headers: Record<string, unknown> }[] = [];
  private canceled: Promise<void> = Promise.resolve();

  private constructor(
    private readonly server: Server,
    private readonly port: number,
  ) {}

  static async start(): Promise<FakeTriton> {
    const definition = loadSync(protoFile, { keepCase: true, longs: Number });
    const server = new Server();
    let fake: FakeTriton | null = null;
    const current = (): FakeTriton => {
      if (fake === null) throw new Error('the fake is not there yet');
      return fake;
    };
    server.addService(definition['inference.GRPCInferenceService'] as ServiceDefinition, {
      ServerReady: (_: unknown, answer: sendUnaryData<object>) => answer(null, { ready: current().isReady }),
      ServerMetadata: (_: unknown, answer: sendUnaryData<object>) =>
        answer(null, { name: 'triton', version: '2.60.0' }),
      ModelMetadata: (_: unknown, answer: sendUnaryData<object>) => {
        const { model } = current();
        if ('code' in model) answer({ code: model.code, details: model.details, name: '', message: '' });
        else answer(null, model);
      },
      ModelStreamInfer: (call: ServerDuplexStream<Record<string, unknown>, object>) => current().infer(call),
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    fake = new FakeTriton(server, port);
    return fake;
  }

  get url(): string {
    return `grpc://127.0.0.1:${this.port}`;
  }

  answers(script: Script): void {
    this.script = script;
    this.asked = [];
  }

  /** Resolves when the client has canceled its last call. */
  untilCanceled(): Promise<void> {
    return within('the call to be canceled', this.canceled);
  }

  stop(): void {
    this.server.forceShutdown();
  }

  private infer(call: ServerDuplexStream<Record<string, unknown>, object>): void {
    this.canceled = new Promise((resolve) => void call.once('cancelled', () => resolve()));
    call.on('error', () => undefined);
    call.once('data', (request: Record<string, unknown>) => {
      this.asked.push({ request, headers: headersOf(call.metadata) });
      const { responses = [], after = 'end' } = this.script;
      for (const response of responses) call.write(response);
      if (after === 'end') call.end();
      else if (after !== 'stall') call.emit('error', { ...after, name: '', message: '' });
    });
  }
}

function headersOf(metadata: Metadata): Record<string, unknown> {
  return metadata.getMap();
}

/** Sends on what comes from a server in pieces of these sizes, over and over. */
export class SplittingProxy {
  private constructor(private readonly server: TcpServer) {}

  static async start(target: string, sizes: readonly number[]): Promise<SplittingProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer((client) => {
      client.setNoDelay(true);
      const upstream = createConnection({ host: hostname, port: Number(port) });
      let turn = 0;
      client.pipe(upstream);
      upstream.on('data', (bytes: Buffer) => {
        for (let at = 0; at < bytes.length;) {
          const size = sizes[turn % sizes.length] ?? 1;
          client.write(bytes.subarray(at, at + size));
          at += size;
          turn += 1;
        }
      });
      upstream.on('close', () => client.destroy());
      upstream.on('error', () => client.destroy());
      client.on('error', () => upstream.destroy());
      client.on('close', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new SplittingProxy(server);
  }

  get url(): string {
    return `grpc://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close();
  }
}
