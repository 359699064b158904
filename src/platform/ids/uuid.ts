import { randomUUID } from 'node:crypto';

/** A fresh UUIDv4 in lower case: task ids, correlation ids. */
export function newUuid(): string {
  return randomUUID();
}
