import { z } from 'zod';

/** A tensor as the metadata of a model tells it. In a shape, -1 is any size. */
export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** What a model takes and gives. */
export interface TritonModel {
  readonly inputs: ReadonlyMap<string, TensorMetadata>;
  readonly outputs: ReadonlySet<string>;
}

const tensors = z
  .array(z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.coerce.number()).default([]) }))
  .default([]);

/** `GET /v2/models/{m}` and `ModelMetadata`: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol */
const metadata = z.object({ inputs: tensors, outputs: tensors });

/** Null: it is no metadata of a model. */
export function readModel(answer: unknown): TritonModel | null {
  const parsed = metadata.safeParse(answer);
  if (!parsed.success) return null;
  return {
    inputs: new Map(parsed.data.inputs.map((tensor) => [tensor.name, tensor])),
    outputs: new Set(parsed.data.outputs.map(({ name }) => name)),
  };
}
