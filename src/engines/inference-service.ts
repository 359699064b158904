import { fileURLToPath } from 'node:url';
import type { Client, ClientDuplexStream, Metadata, ServiceError } from '@grpc/grpc-js';
import type { MethodDefinition, ServiceDefinition } from '@grpc/proto-loader';

const protoFile = fileURLToPath(new URL('./inference-service.proto', import.meta.url));
const defaultPort = 8001;

/** Messages are of the shapes in `inference-service.proto`; what a server leaves out is absent. */
export type GrpcMessage = Readonly<Record<string, unknown>>;

/** Whether a base URL asks for gRPC (`grpc://`, `grpcs://` with TLS) and not for HTTP. */
export function isGrpc(url: string): boolean {
  return /^grpcs?:/.test(url);
}

/**
 * Triton's gRPC service at one address. The libraries are loaded with the first one: most processes never need them.
 * https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/customization_guide/inference_protocols.html
 */
export class InferenceService {
  private constructor(
    private readonly client: Client,
    private readonly methods: ServiceDefinition,
    private readonly newMetadata: (headers: Readonly<Record<string, string>>) => Metadata,
  ) {}

  /** @param longestMessageBytes longer answers are refused; absent: grpc's own bound of 4 MiB */
  static async at(url: string, longestMessageBytes?: number): Promise<InferenceService> {
    const grpc = await import('@grpc/grpc-js');
    const { load } = await import('@grpc/proto-loader');
    const definition = await load(protoFile, { keepCase: true, longs: Number });
    const methods = definition['inference.GRPCInferenceService'] as ServiceDefinition;
    const { protocol, hostname, port } = new URL(url);
    const credentials = protocol === 'grpcs:' ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
    const client = new grpc.Client(`${hostname}:${port === '' ? defaultPort : port}`, credentials, {
      ...(longestMessageBytes !== undefined && { 'grpc.max_receive_message_length': longestMessageBytes }),
      // Engines that are away are asked again by those who know when.
      'grpc.enable_retries': 0,
    });
    return new InferenceService(client, methods, (headers) => {
      const metadata = new grpc.Metadata();
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      return metadata;
    });
  }

  /** One answer. Rejects with grpc's `ServiceError`, also when there is none in time. */
  ask(
    method: string,
    request: GrpcMessage,
    headers: Readonly<Record<string, string>>,
    ms: number,
  ): Promise<GrpcMessage> {
    const { path, requestSerialize, responseDeserialize } = this.method(method);
    return new Promise((resolve, reject) => {
      const settle = (error: ServiceError | null, answer?: object): void => {
        if (error === null) resolve((answer ?? {}) as GrpcMessage);
        else reject(error);
      };
      const options = { deadline: Date.now() + ms };
      const metadata = this.newMetadata(headers);
      this.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, settle);
    });
  }

  /** A stream in both directions. */
  open(method: string, headers: Readonly<Record<string, string>>): ClientDuplexStream<object, object> {
    const { path, requestSerialize, responseDeserialize } = this.method(method);
    return this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.newMetadata(headers));
  }

  close(): void {
    this.client.close();
  }

  private method(name: string): MethodDefinition<object, object> {
    const method = this.methods[name];
    if (method === undefined) throw new Error(`inference-service.proto has no method ${name}`);
    return method;
  }
}
