import type { z } from 'zod';
import { nearest } from './nearest.js';

/** One thing that is wrong with an input: where, and what, in words that fit behind the field's name. */
export interface Finding {
  readonly path: readonly (string | number)[];
  readonly problem: string;
}

export type Checked<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly findings: readonly Finding[] };

/** As many as a client can use. A hostile input has a hundred thousand; putting each into words kept everybody else waiting for ten seconds. */
const mostFindings = 100;

/**
 * Parses with a schema; on failure the issues in plain words, a hundred at most. The input itself is never repeated: it may hold a prompt or a
 * secret.
 */
export function check<Schema extends z.ZodType>(schema: Schema, input: unknown): Checked<z.output<Schema>> {
  // With an explainer zod takes its slow way, three times as long; nearly all inputs need none.
  const result = schema.safeParse(input);
  if (result.success) return { ok: true, value: result.data };
  const explained = schema.safeParse(input, explainer);
  return { ok: false, findings: firstFindings(explained.error?.issues ?? []) };
}

function firstFindings(issues: readonly z.core.$ZodIssue[]): readonly Finding[] {
  const found: Finding[] = [];
  for (const issue of issues) {
    found.push(...findingsOf(issue, mostFindings - found.length));
    if (found.length === mostFindings) break;
  }
  return found;
}

/** Zod reports unknown keys of one object as one issue; a client wants each by its own path. */
function findingsOf(issue: z.core.$ZodIssue, most: number): readonly Finding[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  if (issue.code !== 'unrecognized_keys') return [{ path, problem: issue.message }];
  const known: readonly string[] = issue.message === '' ? [] : issue.message.split('\n');
  return issue.keys.slice(0, most).map((key) => ({ path: [...path, key], problem: unknownKey(key, known) }));
}

function unknownKey(key: string, known: readonly string[]): string {
  const suggestion = nearest(key, known);
  return suggestion === null ? 'is not known here' : `is not known here; did you mean "${suggestion}"?`;
}

const explainer = { error: (issue: z.core.$ZodRawIssue): string => explain(issue) };

function explain(issue: z.core.$ZodRawIssue): string {
  // The keys known at this place ride in the message: the raw issue alone knows the schema it came from.
  if (issue.code === 'unrecognized_keys') return knownKeys(issue.inst).join('\n');
  if (issue.code === 'invalid_type') return issue.input === undefined ? 'is required' : mustBe(issue.expected);
  if (issue.code === 'invalid_value') return issue.input === undefined ? 'is required' : mustBeOneOf(issue.values);
  if (issue.code === 'invalid_format') return formatWords[issue.format] ?? `must be a valid ${issue.format}`;
  if (issue.code === 'too_small') return tooSmall(issue);
  if (issue.code === 'too_big') return tooBig(issue);
  return issue.message ?? 'is not valid';
}

function mustBe(type: string): string {
  return `must be ${typeWords[type] ?? type}`;
}

function mustBeOneOf(values: readonly unknown[]): string {
  const list = values.map((value) => JSON.stringify(value)).join(', ');
  return values.length === 1 ? `must be ${list}` : `must be one of ${list}`;
}

const typeWords: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
};

const formatWords: Readonly<Record<string, string>> = {
  guid: 'must be a UUID',
  uuid: 'must be a UUID',
  url: 'must be an http:// or https:// URL',
};

function tooSmall(issue: z.core.$ZodRawIssue<z.core.$ZodIssueTooSmall>): string {
  if (issue.origin === 'string')
    return issue.minimum === 1 ? 'must not be empty' : `must have at least ${issue.minimum} characters`;
  if (issue.origin === 'array') return `must have at least ${issue.minimum} ${issue.minimum === 1 ? 'item' : 'items'}`;
  return `must be at least ${issue.minimum}`;
}

function tooBig(issue: z.core.$ZodRawIssue<z.core.$ZodIssueTooBig>): string {
  if (issue.origin === 'string') return `must have at most ${issue.maximum} characters`;
  if (issue.origin === 'array') return `must have at most ${issue.maximum} items`;
  return `must be at most ${issue.maximum}`;
}

/** The keys of the object schema an issue came from. */
function knownKeys(schema: unknown): readonly string[] {
  const shape = (schema as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape;
  return shape === undefined ? [] : Object.keys(shape);
}
