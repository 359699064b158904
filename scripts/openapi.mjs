// Writes openapi/openapi.json and openapi/config.schema.json from the built contract; with --check only tells whether they are stale.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { configJsonSchema } from '../dist/platform/config/config-schema.js';
import { openApiDocument } from '../dist/platform/http/openapi/document.js';

const root = new URL('../', import.meta.url);
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
const documents = {
  'openapi/openapi.json': openApiDocument(version),
  'openapi/config.schema.json': configJsonSchema(),
};

mkdirSync(new URL('openapi/', root), { recursive: true });
let stale = false;
for (const [path, document] of Object.entries(documents)) {
  const text = `${JSON.stringify(document, null, 2)}\n`;
  if (!process.argv.includes('--check')) writeFileSync(new URL(path, root), text);
  else if (textOf(path) !== text) {
    stale = true;
    process.stderr.write(`${path} is stale: run "npm run openapi" and commit the result.\n`);
  }
}
process.exitCode = stale ? 1 : 0;

function textOf(path) {
  try {
    return readFileSync(new URL(path, root), 'utf8');
  } catch {
    return null;
  }
}
