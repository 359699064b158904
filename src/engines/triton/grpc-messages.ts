import type { GrpcMessage } from '../inference-service.js';
import type { InputValue, Inputs } from './triton-inputs.js';
import type { TensorMetadata, TritonModel } from './triton-model.js';
import type { TritonResponse } from './triton-output.js';

/** Outputs that are read. Others, such as logits, are not asked for. */
const readOutputs = ['text_output', 'finish_reason', 'num_input_tokens', 'num_output_tokens'];

/** A `ModelInferRequest`. An empty last response is asked for, which tells the end of a decoupled model apart from a loss. */
export function inferRequest(model: TritonModel, name: string, taskId: string, inputs: Inputs): GrpcMessage {
  return {
    model_name: name,
    id: taskId,
    parameters: { triton_enable_empty_final_response: { bool_param: true } },
    inputs: [...inputs].flatMap(([input, value]) => {
      const metadata = model.inputs.get(input);
      return metadata === undefined ? [] : [tensor(metadata, value)];
    }),
    outputs: readOutputs.flatMap((output) => (model.outputs.has(output) ? [{ name: output }] : [])),
  };
}

function tensor({ name, datatype, shape }: TensorMetadata, value: InputValue): GrpcMessage {
  const values: readonly (string | number | boolean)[] = typeof value === 'object' ? value : [value];
  // A size that is open is that of the values in the last place, and one request in the places of a batch before it.
  const sizes =
    shape.length === 0
      ? [values.length]
      : shape.map((size, at) => sizeOf(size, at === shape.length - 1, values.length));
  return { name, datatype, shape: sizes, contents: contents(datatype, values) };
}

function sizeOf(size: number, isLast: boolean, count: number): number {
  if (isLast) return count;
  return size < 0 ? 1 : size;
}

function contents(datatype: string, values: readonly (string | number | boolean)[]): GrpcMessage {
  switch (datatype) {
    case 'BYTES':
      return { bytes_contents: values.map((value) => Buffer.from(String(value))) };
    case 'BOOL':
      return { bool_contents: values };
    case 'INT64':
      return { int64_contents: values };
    case 'UINT64':
      return { uint64_contents: values };
    case 'UINT32':
    case 'UINT16':
    case 'UINT8':
      return { uint_contents: values };
    case 'FP64':
      return { fp64_contents: values };
    case 'FP32':
      return { fp32_contents: values };
    default:
      return { int_contents: values };
  }
}

/** Fields of a `ModelInferResponse` that matter to us. */
interface InferResponse {
  readonly parameters?: Readonly<Record<string, { readonly bool_param?: boolean }>>;
  readonly outputs?: readonly OutputTensor[];
  readonly raw_output_contents?: readonly Buffer[];
}

interface OutputTensor {
  readonly name?: string;
  readonly datatype?: string;
  readonly contents?: {
    readonly bytes_contents?: readonly Buffer[];
    readonly uint_contents?: readonly number[];
    readonly int_contents?: readonly number[];
  };
}

/** Whether a response is the last of its request. */
export function isFinal({ parameters }: InferResponse): boolean {
  return parameters?.['triton_final_response']?.bool_param === true;
}

/** What a response tells; null: it has no outputs. */
export function readResponse(response: InferResponse): TritonResponse | null {
  const outputs = response.outputs ?? [];
  if (outputs.length === 0) return null;
  const values = new Map<string, string | number | undefined>();
  outputs.forEach((output, index) => {
    values.set(output.name ?? '', firstOf(output, response.raw_output_contents?.[index]));
  });
  const text = (name: string): string | undefined => asString(values.get(name));
  const count = (name: string): number | undefined => asNumber(values.get(name));
  return {
    text: text('text_output') ?? '',
    finishReason: text('finish_reason'),
    tokensIn: count('num_input_tokens'),
    tokensOut: count('num_output_tokens'),
  };
}

/** The first element of a tensor: raw, or in a list. */
function firstOf({ datatype, contents: listed }: OutputTensor, raw: Buffer | undefined): string | number | undefined {
  if (raw !== undefined && raw.length >= 4) return firstRaw(datatype, raw);
  const { bytes_contents: texts, uint_contents: counts, int_contents: numbers } = listed ?? {};
  return texts?.[0]?.toString('utf8') ?? counts?.[0] ?? numbers?.[0];
}

/** Raw is little endian, and texts come behind their length. */
function firstRaw(datatype: string | undefined, raw: Buffer): string | number | undefined {
  if (datatype === 'BYTES') return raw.toString('utf8', 4, 4 + raw.readUInt32LE(0));
  if (datatype === 'UINT32') return raw.readUInt32LE(0);
  return datatype === 'INT32' ? raw.readInt32LE(0) : undefined;
}

function asString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
