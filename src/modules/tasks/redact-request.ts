import { createHash } from 'node:crypto';
import type { TaskRequest } from '../../contract/task-request.js';
import { canonicalJson } from '../artifacts/index.js';

/** Stands for what a client said: enough to tell whether two requests said the same, not what. */
interface Redacted {
  /** Bytes of UTF-8: of a text itself, of anything else its canonical JSON (RFC 8785). */
  readonly length: number;
  /** Of the same bytes, in hexadecimal. */
  readonly sha256: string;
}

/** Every field of a request that holds words of the client, whatever the workload. How it is to be answered is kept, grammar included. */
const wordsOfTheClient: ReadonlySet<string> = new Set(['prompt', 'messages', 'inputs', 'query', 'documents']);

/** The parameters of a task as they may be kept for ever. */
export function redactRequest(request: TaskRequest): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(request).map(([name, value]: [string, unknown]) => [
      name,
      wordsOfTheClient.has(name) && value !== undefined && value !== null ? redacted(value) : value,
    ]),
  );
}

function redacted(value: unknown): Redacted {
  const bytes = Buffer.from(typeof value === 'string' ? value : canonicalJson(value), 'utf8');
  return { length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
