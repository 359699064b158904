import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import pg from 'pg';
import { atMost } from './checks.mjs';

const few = 100_000;
const many = 1_000_000;
const rounds = 40;
const newestMs = 1_750_000_000_000;
const session = '00000000-0000-4000-8000-00000000beef';
const manyTasks = new URL('../../test/support/many-tasks.sql', import.meta.url);

const filters = [
  ['no filter', ''],
  ['state, common', 'state=completed'],
  ['state, rare', 'state=failed'],
  ['state without tasks', 'state=running'],
  ['priority', 'priority=batch'],
  ['pool, large', 'pool_id=large'],
  ['pool, 1 in 1,000', 'pool_id=rare'],
  ['model', 'model_ref=default'],
  ['session', `session_id=${session}`],
  ['since', `since=${newestMs - 80_000_000}`],
  ['state + pool', 'state=failed&pool_id=rare'],
  ['state + model', 'state=canceled&model_ref=default'],
  ['pool + priority', 'pool_id=small&priority=batch'],
  ['session + state', `session_id=${session}&state=failed`],
  ['pool + model', 'pool_id=rare&model_ref=default'],
  ['pool + model, none', 'pool_id=mono&model_ref=default'],
  ['limit=500', 'limit=500'],
];

async function startPostgres(workplace) {
  const { startEmbeddedPostgres } = await import(
    new URL('../../dist/platform/local-stores/index.js', import.meta.url).href
  );
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'orchestratord-bench-list-'));
  fs.chmodSync(dataDir, 0o755); // Postgres runs as another user when we are root, and must pass through
  const log = { info: () => undefined, warn: () => undefined };
  const postgres = await startEmbeddedPostgres({ dataDir, log, progress: () => undefined });
  const db = new pg.Pool({ connectionString: postgres.url });
  db.on('error', () => undefined);
  workplace.onClose(async () => {
    await db.end();
    await postgres.stop();
    fs.rmSync(dataDir, { recursive: true, force: true });
  });
  return { url: postgres.url, db };
}

/** The median of some requests after each other, in milliseconds. */
async function medianMs(url) {
  const times = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    const answer = await fetch(url);
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${text.slice(0, 300)}`);
    times.push(performance.now() - start);
  }
  return times.toSorted((left, right) => left - right)[rounds / 2];
}

/** As a page half way down would give it. */
function cursorAt(depth) {
  const text = `${newestMs - depth * 1000}.ffffffff-ffff-ffff-ffff-ffffffffffff`;
  return `cursor=${Buffer.from(text).toString('base64url')}`;
}

async function measureAll(base, count) {
  const figures = new Map();
  for (const [name, query] of filters) {
    const url = `${base}/v2/tasks?${query}`;
    figures.set(name, { first: await medianMs(url), deep: await medianMs(`${url}&${cursorAt(count / 2)}`) });
  }
  return figures;
}

async function fill(db, count) {
  await db.query('TRUNCATE tasks');
  const start = performance.now();
  await db.query(fs.readFileSync(manyTasks, 'utf8'), [count, newestMs, session, 0]);
  const seconds = (performance.now() - start) / 1000;
  await db.query('VACUUM ANALYZE tasks');
  return seconds;
}

const ms = (value) => value.toFixed(1).padStart(7);
const ratio = (value, anchor) => `${(value / anchor).toFixed(2).padStart(6)} ×`;

function table(atFew, atMany) {
  const head = `${''.padEnd(20)} first page ms   of ${few} rows    deep page ms   of ${few} rows`;
  const lines = filters.map(([name]) => {
    const [small, large] = [atFew.get(name), atMany.get(name)];
    return `${name.padEnd(20)} ${ms(large.first)}        ${ratio(large.first, small.first)}       ${ms(large.deep)}        ${ratio(large.deep, small.deep)}`;
  });
  return [head, ...lines];
}

export const list = {
  name: 'list',
  title: `GET /v2/tasks: each filter's first page and one half way down, of ${many} tasks, beside the same of ${few}`,
  async run(workplace) {
    if (!workplace.hasServer) return { rows: [], checks: [], facts: [] };
    const postgres = await startPostgres(workplace);
    const engine = await workplace.startEngine(['--slots', '1']);
    const server = await workplace.bootServer(engine.port, 1, { DATABASE_URL: postgres.url });
    const base = `http://127.0.0.1:${server.port}`;
    await fill(postgres.db, few);
    await measureAll(base, few); // warms up
    const atFew = await measureAll(base, few);
    const seconds = await fill(postgres.db, many);
    const atMany = await measureAll(base, many);
    const sizes = await postgres.db.query(
      `SELECT pg_size_pretty(pg_relation_size('tasks')) AS rows, pg_size_pretty(pg_indexes_size('tasks')) AS indexes`,
    );
    const ratios = filters.flatMap(([name]) => {
      const [small, large] = [atFew.get(name), atMany.get(name)];
      return [large.first / small.first, large.deep / small.deep];
    });
    return {
      rows: [],
      facts: [
        ...table(atFew, atMany),
        `${many} rows written in ${seconds.toFixed(0)} s: ${sizes.rows[0].rows} of rows, ${sizes.rows[0].indexes} of indexes`,
      ],
      checks: [atMost(`slowest page, beside the same of ${few} tasks`, Math.max(...ratios), 2, '×')],
    };
  },
};
