import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeDemoModel } from '../demo-model/write-demo-model.js';
import { ProvisioningError } from '../provisioning.errors.js';
import { parseGgufHeader } from './gguf-header.js';

const demo = encodeDemoModel();

function changed(change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(demo.subarray(0, 4096));
  change(copy);
  return copy;
}

describe('parseGgufHeader', () => {
  it('reads version, counts, architecture and context of a real file', () => {
    const header = parseGgufHeader('demo.gguf', demo);
    expect(header).toMatchObject({ version: 3, architecture: 'llama' });
    expect(header.contextLength).toBeGreaterThan(0);
    expect(header.tensorCount).toBeGreaterThan(0);
  });

  it.each([
    [Buffer.from('GGUF'), 'only 4 bytes'],
    [Buffer.from('<!DOCTYPE html><html></html>'), 'a web page'],
    [Buffer.from('PK\u0003\u0004'.padEnd(64, 'x')), 'begins with "PK'],
    [changed((copy) => copy.writeUInt32LE(1, 4)), 'version 1'],
    [changed((copy) => copy.writeUInt32BE(3, 4)), 'version 50331648'],
    [changed((copy) => copy.writeBigUInt64LE(2n ** 60n, 8)), 'tensors'],
    [changed((copy) => copy.writeBigUInt64LE(2n ** 60n, 16)), 'metadata'],
  ])('refuses what is no model and says what it found (%#)', (start, reason) => {
    expect(() => parseGgufHeader('/m/x.gguf', start)).toThrow(reason);
    expect(() => parseGgufHeader('/m/x.gguf', start)).toThrow('/m/x.gguf');
  });

  it('answers or refuses whatever the bytes are, and never hangs', () => {
    const outcome = (bytes: Buffer): string => {
      try {
        return typeof parseGgufHeader('x', bytes).version;
      } catch (error) {
        if (error instanceof ProvisioningError) return error.problem;
        throw error;
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(3000), (noise, at) => {
        const bytes = changed((copy) => copy.set(noise, Math.min(at, copy.length - noise.length)));
        expect(['number', 'not-a-model']).toContain(outcome(bytes));
      }),
    );
  });
});
