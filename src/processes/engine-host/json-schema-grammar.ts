import { invalidRequest } from './api-error.js';
import { isJsonObject } from './fields.js';
import { firstLine, type Llama } from './node-llama-cpp.js';

/** What node-llama-cpp turns into a grammar faithfully; it reads anything else as `null`. */
const TYPES: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'null', 'object', 'array']);
const CONSTRAINTS = ['anyOf', 'allOf', 'not', 'pattern', 'minimum', 'maximum', 'patternProperties', 'if'];

/**
 * GBNF for a JSON schema, by node-llama-cpp's converter. That one knows less than llama-server's: what it would
 * silently read as something else is refused here. Properties come in the order of the schema and are all written.
 */
export async function convertJsonSchema(llama: Llama, schema: unknown): Promise<string> {
  requireConvertible(schema, '#');
  try {
    const { grammar } = await llama.createGrammarForJsonSchema(schema);
    // The library ends every document with four line breaks, by which its own chat loop knows to stop.
    return grammar.replace(/^(root ::= .*) "\\n\\n\\n\\n" \[\\n\]\*$/m, '$1');
  } catch (error) {
    throw refused(firstLine(error));
  }
}

function requireConvertible(schema: unknown, path: string): void {
  if (!isJsonObject(schema)) throw refused(`JSON schema error at ${path}: schema must be an object`);
  const unsupported = CONSTRAINTS.find((keyword) => keyword in schema);
  if (unsupported !== undefined) throw refused(`JSON schema error at ${path}: ${unsupported} is not supported`);
  const { type } = schema;
  const isTyped = Array.isArray(type) ? type.every((one) => TYPES.has(one)) : TYPES.has(type);
  if (type !== undefined && !isTyped)
    throw refused(`JSON schema error at ${path}: unrecognized type ${JSON.stringify(type)}`);
  if (!isTyped && !['enum', 'const', 'oneOf', '$ref'].some((keyword) => keyword in schema)) {
    throw refused(`JSON schema error at ${path}: a type is needed`);
  }
  for (const [name, child] of childSchemas(schema)) requireConvertible(child, `${path}/${name}`);
}

function childSchemas(schema: Readonly<Record<string, unknown>>): [string, unknown][] {
  const children: [string, unknown][] = [];
  for (const group of ['properties', '$defs'] as const) {
    const members = schema[group];
    if (isJsonObject(members)) children.push(...Object.entries(members));
  }
  for (const list of ['oneOf', 'prefixItems'] as const) {
    const members = schema[list];
    if (Array.isArray(members)) members.forEach((member, index) => children.push([`${list}/${index}`, member]));
  }
  for (const single of ['items', 'additionalProperties'] as const) {
    if (isJsonObject(schema[single])) children.push([single, schema[single]]);
  }
  return children;
}

function refused(problem: string): Error {
  return invalidRequest(`Field 'json_schema': "json_schema": JSON schema conversion failed:\n${problem}`);
}
