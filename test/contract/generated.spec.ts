import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { configJsonSchema } from '../../src/platform/config/config-schema.js';
import { openApiDocument } from '../../src/platform/http/openapi/document.js';

const root = join(import.meta.dirname, '../..');
const read = (path: string): unknown => JSON.parse(readFileSync(join(root, path), 'utf8'));

describe('the committed documents', () => {
  it('are what the contract generates now (else: npm run build && npm run openapi)', () => {
    const { version } = read('package.json') as { version: string };
    expect(read('openapi/openapi.json')).toEqual(JSON.parse(JSON.stringify(openApiDocument(version))));
    expect(read('openapi/config.schema.json')).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
  });

  it('let an editor check a configuration as the server does', () => {
    const validate = new Ajv2020({ strict: false, logger: false, validateFormats: false }).compile(configJsonSchema());
    expect(validate({})).toBe(true);
    expect(validate({ pools: [{ id: 'a', engine: { id: 'llamacpp' }, model: { ref: 'x' } }] })).toBe(true);
    expect(validate({ serverr: {} })).toBe(false);
    expect(validate({ pools: [{ id: 'a' }] })).toBe(false);
  });
});
