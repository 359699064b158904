// Writes prisma/migrations/<timestamp>_<name>/migration.sql: what leads from the last migration's schema to prisma/*.prisma.
// Works offline and touches no database: the difference is taken between two schemas. Each migration keeps the schema it
// leads to in `schema.snapshot`, the starting point of the next. (No .prisma ending: Prisma reads those as live schema.)
//
//   npm run migrate:new -- add_sessions

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const schemaDir = join(dirname(dirname(fileURLToPath(import.meta.url))), 'prisma');
const migrationsDir = join(schemaDir, 'migrations');
const SNAPSHOT = 'schema.snapshot';

const name = process.argv[2] ?? '';
if (!/^[a-z][a-z0-9_]*$/.test(name))
  fail('Give the migration a name in lower case, e.g.: npm run migrate:new -- add_sessions');

const before = await lastSnapshot();
const after = await currentSchema();
const sql = await difference(before, after);
if (/^-- This is an empty migration/m.test(sql) || sql.trim() === '')
  fail('Nothing to do: prisma/*.prisma says what the last migration says.');

const directory = join(migrationsDir, `${timestamp()}_${name}`);
await mkdir(directory, { recursive: true });
await writeFile(join(directory, 'migration.sql'), sql);
await writeFile(join(directory, SNAPSHOT), after);
await writeFile(join(migrationsDir, 'migration_lock.toml'), '# Read by the Prisma CLI.\nprovider = "postgresql"\n');
process.stdout.write(`${sql}\nWritten to ${join(directory, 'migration.sql')}. Read it; what it drops is gone.\n`);

async function lastSnapshot() {
  const entries = await readdir(migrationsDir, { withFileTypes: true }).catch(() => []);
  const last = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .toSorted()
    .at(-1);
  return last === undefined ? undefined : readFile(join(migrationsDir, last, SNAPSHOT), 'utf8');
}

async function currentSchema() {
  const names = (await readdir(schemaDir)).filter((file) => file.endsWith('.prisma')).toSorted();
  const files = await Promise.all(names.map((file) => readFile(join(schemaDir, file), 'utf8')));
  return names.map((file, index) => `// ${file}\n${files[index]}`).join('\n');
}

async function difference(from, to) {
  const engineFile = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const engine = await import(engineFile);
  const module = await WebAssembly.compile(await readFile(engineFile.replace(/[.]js$/, '.wasm')));
  const instance = await WebAssembly.instantiate(module, { './schema_engine_bg.js': engine });
  engine.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  // The engine wants a database driver even for this, and asks it one thing: whether the schema `public` exists, and
  // the server's version. (Column types of Prisma's driver interface: 5 boolean, 7 text, 0 integer.)
  const answer = {
    columnNames: ['exists', 'version', 'numeric_version'],
    columnTypes: [5, 7, 0],
    rows: [[true, 'PostgreSQL 15.0', 150_000]],
  };
  const connection = {
    provider: 'postgres',
    adapterName: 'none',
    getConnectionInfo: () => ok({ schemaName: 'public', supportsRelationJoins: true }),
    queryRaw: async () => ok(answer),
    executeScript: async () => ok(undefined),
    dispose: async () => ok(undefined),
  };
  const adapter = { provider: 'postgres', adapterName: 'none', connect: async () => ok(connection), errorRegistry: {} };
  const schemaEngine = await engine.SchemaEngine.new({ datamodels: undefined }, () => undefined, adapter);
  try {
    const { stdout } = await schemaEngine.diff({
      from: from === undefined ? { tag: 'empty' } : target(from),
      to: target(to),
      script: true,
      exitCode: null,
      filters: { externalTables: [], externalEnums: [] },
    });
    return stdout ?? '';
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function ok(value) {
  return { ok: true, value, map: (next) => ok(next(value)), flatMap: (next) => next(value) };
}

function target(content) {
  return { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content }] };
}

function timestamp() {
  return new Date().toISOString().replace(/\D/g, '').slice(0, 14);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
