/**
 * Serialises the few GGUF value and tensor types the demo model needs.
 * Wire format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3, little-endian).
 */

export type GgufValue =
  | { type: 'uint32'; value: number }
  | { type: 'float32'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: readonly string[] }
  | { type: 'floats'; value: readonly number[] }
  | { type: 'ints'; value: readonly number[] };

/** A 32-bit float tensor; `shape` lists the fastest-varying dimension first, as GGUF does. */
export interface GgufTensor {
  name: string;
  shape: readonly number[];
  data: Float32Array;
}

export interface GgufFile {
  metadata: ReadonlyMap<string, GgufValue>;
  tensors: readonly GgufTensor[];
}

const MAGIC = Buffer.from('GGUF', 'latin1');
const VERSION = 3;
const ALIGNMENT = 32;
const TENSOR_TYPE_F32 = 0;
const VALUE_TYPE = { int32: 5, uint32: 4, float32: 6, bool: 7, string: 8, array: 9 } as const;

/** The bytes of the file: the same input always gives the same bytes, on every machine. */
export function encodeGguf(file: GgufFile): Buffer {
  const header = [MAGIC, uint32(VERSION), uint64(file.tensors.length), uint64(file.metadata.size)];
  for (const [key, value] of file.metadata) header.push(string(key), encodeValue(value));

  const payload: Buffer[] = [];
  let offset = 0;
  for (const tensor of file.tensors) {
    header.push(string(tensor.name), uint32(tensor.shape.length));
    header.push(...tensor.shape.map(uint64), uint32(TENSOR_TYPE_F32), uint64(offset));
    const bytes = floats(tensor.data);
    payload.push(bytes, padding(bytes.length));
    offset += bytes.length + paddingLength(bytes.length);
  }

  const head = Buffer.concat(header);
  return Buffer.concat([head, padding(head.length), ...payload]);
}

function encodeValue(entry: GgufValue): Buffer {
  switch (entry.type) {
    case 'uint32':
      return Buffer.concat([uint32(VALUE_TYPE.uint32), uint32(entry.value)]);
    case 'float32':
      return Buffer.concat([uint32(VALUE_TYPE.float32), floats([entry.value])]);
    case 'bool':
      return Buffer.concat([uint32(VALUE_TYPE.bool), Buffer.of(entry.value ? 1 : 0)]);
    case 'string':
      return Buffer.concat([uint32(VALUE_TYPE.string), string(entry.value)]);
    case 'strings':
      return array(VALUE_TYPE.string, entry.value.length, Buffer.concat(entry.value.map(string)));
    case 'floats':
      return array(VALUE_TYPE.float32, entry.value.length, floats(entry.value));
    case 'ints':
      return array(VALUE_TYPE.int32, entry.value.length, Buffer.concat(entry.value.map(int32)));
  }
}

function array(elementType: number, length: number, elements: Buffer): Buffer {
  return Buffer.concat([uint32(VALUE_TYPE.array), uint32(elementType), uint64(length), elements]);
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function floats(values: ArrayLike<number>): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (let index = 0; index < values.length; index += 1) bytes.writeFloatLE(values[index] ?? 0, index * 4);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function padding(length: number): Buffer {
  return Buffer.alloc(paddingLength(length));
}

function paddingLength(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}
