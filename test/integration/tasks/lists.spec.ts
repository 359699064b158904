import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskListQuery } from '../../../src/contract/task-response.js';
import { TaskReadsRepository, TasksRepository } from '../../../src/modules/tasks/index.js';
import { PrismaClient } from '../../../src/platform/database/generated/client.js';
import type { Place } from '../../../src/platform/http/keyset-page.js';
import { busySession, newestMs, writeManyTasks } from '../../support/many-tasks.js';
import { freshDatabase } from '../../support/stores.js';

const count = 100_000;
const limit = 50;
type Filter = Omit<TaskListQuery, 'cursor' | 'limit'>;

/** Every filter alone, and what people ask together. */
const filters: readonly [string, Filter][] = [
  ['nothing', {}],
  ['a common state', { state: 'completed' }],
  ['a rare state', { state: 'queued' }],
  ['a class', { priority: 'batch' }],
  ['a large pool', { pool_id: 'large' }],
  ['a rare pool', { pool_id: 'rare' }],
  ['a pool that is not there', { pool_id: 'gone' }],
  ['a model', { model_ref: 'default' }],
  ['a session', { session_id: busySession }],
  ['a time', { since: newestMs - 3_600_000 }],
  ['state and pool', { state: 'failed', pool_id: 'rare' }],
  ['state and class', { state: 'running', priority: 'batch' }],
  ['state and model', { state: 'failed', model_ref: 'default' }],
  ['state and session', { state: 'failed', session_id: busySession }],
  ['pool and class', { pool_id: 'small', priority: 'batch' }],
  ['pool and model', { pool_id: 'small', model_ref: 'default' }],
  ['a pool and a model that it never had', { pool_id: 'mono', model_ref: 'default' }],
  ['model and class', { model_ref: 'default', priority: 'batch' }],
  [
    'state, pool, class and a time',
    { state: 'canceled', pool_id: 'large', priority: 'interactive', since: newestMs - 1e8 },
  ],
];

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly Plan[];
}

interface Cost {
  readonly scans: string[];
  /** Rows of the largest scan, with those that a filter dropped. */
  readonly read: number;
  readonly dropped: number;
  readonly sorted: number;
}

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

describe('lists of many tasks', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let db: pg.Pool;
  let spied: pg.Pool;
  let prisma: PrismaClient;
  let reads: TaskReadsRepository;
  const sent: pg.QueryConfig[] = [];

  beforeAll(async () => {
    database = await freshDatabase();
    db = new pg.Pool({ connectionString: database.url });
    await writeManyTasks(db, count, 60);
    spied = spiedPool(database.url);
    prisma = new PrismaClient({ adapter: new PrismaPg(spied) });
    reads = new TaskReadsRepository(prisma);
  });

  afterAll(async () => {
    await prisma.$disconnect();
    await spied.end();
    await db.end();
    await database.drop();
  });

  /** A pool that notes the statements it sends. */
  function spiedPool(connectionString: string): pg.Pool {
    const pool = new pg.Pool({ connectionString });
    const query = pool.query.bind(pool) as (statement: pg.QueryConfig) => Promise<pg.QueryResult>;
    Object.assign(pool, {
      query: (statement: pg.QueryConfig) => {
        sent.push(statement);
        return query(statement);
      },
    });
    return pool;
  }

  const list = (filter: Filter, after: Place | null = null) => reads.list({ ...filter, limit }, after);

  /** What Postgres reads and sorts for a page. */
  async function costOf(filter: Filter, after: Place | null): Promise<Cost> {
    sent.length = 0;
    await list(filter, after);
    expect(sent).toHaveLength(1);
    const { text, values } = sent[0]!;
    const explained = await db.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
      values,
    );
    const nodes = nodesOf(explained.rows[0]!['QUERY PLAN'][0].Plan);
    const scans = nodes.filter((node) => /Scan/.test(node['Node Type']) && node['Relation Name'] !== undefined);
    const dropped = (node: Plan): number => (node['Rows Removed by Filter'] ?? 0) * node['Actual Loops'];
    const rows = (node: Plan): number => node['Actual Rows'] * node['Actual Loops'] + dropped(node);
    return {
      scans: scans.map((node) => node['Node Type']),
      read: Math.max(...scans.map(rows)),
      dropped: Math.max(...scans.map(dropped)),
      sorted: Math.max(0, ...nodes.filter((node) => /Sort/.test(node['Node Type'])).map(rows)),
    };
  }

  describe.each([
    ['before Postgres knows the table', 'ALTER TABLE tasks SET (autovacuum_enabled = off)'],
    ['when it has been analyzed', 'VACUUM ANALYZE tasks'],
  ])('%s', (_when, statement) => {
    beforeAll(() => db.query(statement));

    it.each(filters)('%s: a page is read from an index, at the top and half way down', async (_name, filter) => {
      const deep = { createdMs: newestMs - (count / 2) * 1000, id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };
      // Each state and class is a walk of a page at the most, and a model has them in four pools.
      const walks = filter.model_ref !== undefined && filter.pool_id === undefined ? 40 : 10;
      for (const after of [null, deep]) {
        const { scans, read, dropped, sorted } = await costOf(filter, after);
        expect(scans).not.toContain('Seq Scan');
        expect(read).toBeLessThanOrEqual(walks * limit);
        expect(sorted).toBeLessThanOrEqual(walks * limit);
        expect(dropped).toBe(0);
      }
    });
  });

  it.each([
    ...filters,
    ['what no index holds', { session_id: busySession, pool_id: 'large', model_ref: 'default' }] as const,
  ])('%s: page after page shows what a look at every row would', async (_name, filter) => {
    const seen: string[] = [];
    let after: Place | null = null;
    for (let page = 0; page < 3; page++) {
      const found = await list(filter, after);
      seen.push(...found.map(({ task_id }) => task_id));
      const last = found.at(-1);
      if (last === undefined) break;
      after = { createdMs: last.created_ms, id: last.task_id };
    }
    expect(seen).toEqual(await idsByHand(filter, 3 * limit));
  });

  async function idsByHand(filter: Filter, most: number): Promise<string[]> {
    const found = await db.query<{ task_id: string }>(
      `SELECT task_id FROM (SELECT *, extract(epoch FROM created_at) * 1000 AS ms FROM tasks) AS t
       WHERE ($1::text IS NULL OR state::text = $1) AND ($2::text IS NULL OR priority::text = $2) AND ($3::text IS NULL OR pool_id = $3)
         AND ($4::text IS NULL OR model_ref = $4) AND ($5::uuid IS NULL OR session_id = $5) AND ($6::numeric IS NULL OR ms >= $6)
       ORDER BY ms DESC, task_id DESC LIMIT $7`,
      [filter.state, filter.priority, filter.pool_id, filter.model_ref, filter.session_id, filter.since, most],
    );
    return found.rows.map(({ task_id }) => task_id);
  }

  it('tells a crowd of readers how their tasks stand in few statements', async () => {
    const tasks = new TasksRepository(spied);
    const { rows } = await db.query<{ task_id: string; state: string; pool_id: string; artifact_id: string | null }>(
      'SELECT task_id, state, pool_id, artifact_id FROM tasks LIMIT 500',
    );
    sent.length = 0;
    const unknown = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    const found = await Promise.all(
      [...rows, ...rows, { task_id: unknown }].map(({ task_id }) => tasks.stateOf(task_id)),
    );
    const wanted = rows.map(({ state, pool_id, artifact_id }) => [state, pool_id, artifact_id]);
    const told = found.map((one) => (one === null ? null : [one.state, one.poolId, one.artifactId]));
    expect(told).toEqual([...wanted, ...wanted, null]);
    expect(sent.length).toBeLessThan(10);
  });

  it('gives the reconciler all that is open, oldest first, in pages', async () => {
    const tasks = new TasksRepository(db);
    const first = await tasks.listOpen(40, null, newestMs);
    const second = await tasks.listOpen(40, first.at(-1) ?? null, newestMs);
    const wanted = await db.query<{ task_id: string }>(
      `SELECT task_id FROM tasks WHERE state IN ('queued', 'running') AND created_at < to_timestamp($1::double precision / 1000) ORDER BY created_at, task_id`,
      [newestMs],
    );
    expect([...first, ...second].map(({ taskId }) => taskId)).toEqual(wanted.rows.map(({ task_id }) => task_id));
    expect([first.length, second.length]).toEqual([40, wanted.rows.length - 40]);
  });
});
