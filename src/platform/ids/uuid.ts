import { createHash, randomUUID } from 'node:crypto';

/** A fresh UUIDv4 in lower case: task ids, correlation ids. */
export function newUuid(): string {
  return randomUUID();
}

/**
 * UUIDv5 in lower case: the same name in the same namespace is always the same id (RFC 9562, section 5.5: SHA-1 over the namespace's bytes
 * and the name, cut to 128 bits, version and variant set).
 * @param namespace a UUID
 */
export function uuidOfName(namespace: string, name: string): string {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name, 'utf8')
    .digest();
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
