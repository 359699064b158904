import { z } from 'zod';

export type JsonObject = { [key: string]: unknown };

/** Collects the named schemas of a document while the routes refer to them. */
export class Components {
  private readonly collected = new Map<string, JsonObject>();

  /** The schema to put where it is used: a `$ref` for a schema with an id. Shapes are those of the wire: defaults not yet filled in. */
  use(schema: z.ZodType): JsonObject {
    const { $schema: _dialect, $defs, ...root } = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' }) as JsonObject;
    for (const [id, definition] of Object.entries(($defs ?? {}) as Record<string, JsonObject>)) {
      this.collected.set(id, withReferences(definition) as JsonObject);
    }
    return withReferences(root) as JsonObject;
  }

  /** By name, so that the document is the same whatever the order of use. */
  schemas(): JsonObject {
    return Object.fromEntries([...this.collected].toSorted(([left], [right]) => (left < right ? -1 : 1)));
  }
}

/** Zod points into its own `$defs`; an OpenAPI document keeps them under `components`. */
function withReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withReferences);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [
      key,
      key === '$ref' && typeof child === 'string' ? child.replace('#/$defs/', '#/components/schemas/') : withReferences(child),
    ]),
  );
}
