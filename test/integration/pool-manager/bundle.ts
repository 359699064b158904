import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const ROOT = join(import.meta.dirname, '../../..');

/** A TypeScript program as one JavaScript file that a plain Node can run; `remove` deletes it. */
export async function bundle(entry: URL): Promise<{ script: string; remove: () => Promise<void> }> {
  // Inside node_modules, so that the packages it imports are found.
  const outDir = join(ROOT, 'node_modules/.cache/orchestratord', `bundle-${randomUUID()}`);
  await build({
    root: ROOT,
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: fileURLToPath(entry),
      outDir,
      emptyOutDir: true,
      minify: false,
      rolldownOptions: { output: { entryFileNames: 'main.mjs' } },
    },
  });
  return { script: join(outDir, 'main.mjs'), remove: () => rm(outDir, { recursive: true, force: true }) };
}
