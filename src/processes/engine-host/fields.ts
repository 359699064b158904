import { invalidRequest } from './api-error.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** The body as a JSON object; refuses what isn't one. */
export function parseJsonObject(body: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw invalidRequest(`parse error: ${error instanceof Error ? error.message : 'invalid JSON'}`);
  }
  if (!isJsonObject(value)) throw invalidRequest(`type must be object, but is ${jsonType(value)}`);
  return value;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A finite number, or `fallback` when absent or null, as llama-server treats null. */
export function numberField(body: JsonObject, name: string, fallback: number): number {
  const value = body[name] ?? fallback;
  if (typeof value === 'number') return value;
  throw wrongType(name, 'number', value);
}

/** A whole number; a fraction is cut off, as llama-server does. */
export function integerField(body: JsonObject, name: string, fallback: number): number {
  return Math.trunc(numberField(body, name, fallback));
}

export function booleanField(body: JsonObject, name: string, fallback: boolean): boolean {
  const value = body[name] ?? fallback;
  if (typeof value === 'boolean') return value;
  throw wrongType(name, 'boolean', value);
}

export function stringField(body: JsonObject, name: string, fallback: string): string {
  const value = body[name] ?? fallback;
  if (typeof value === 'string') return value;
  throw wrongType(name, 'string', value);
}

/** Says it the way llama-server's JSON library does. */
export function wrongType(name: string, wanted: string, value: unknown): Error {
  const found = jsonType(value);
  return invalidRequest(`Field '${name}': [json.exception.type_error.302] type must be ${wanted}, but is ${found}`);
}

function jsonType(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
