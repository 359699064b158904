import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { Redis } from 'ioredis';
import pg from 'pg';
import { type OrchestratorOptions, type Role, type RunningOrchestrator, startOrchestrator } from './orchestrator.js';
import { freshDatabase, freshRedis } from './stores.js';
import { makeTempDir } from './temp-dirs.js';
import { waitUntil } from './wait-until.js';

export interface DeploymentOptions {
  /** Base URLs of the engines of pool `default`; an empty list leaves it without any. */
  readonly engines: readonly string[];
  /** Over the pool's settings. */
  readonly pool?: Readonly<Record<string, unknown>>;
  /** Over the top level of the configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Stores that the caller kills and brings back; made and dropped here by default. */
  readonly stores?: { readonly databaseUrl?: string; readonly redisUrl?: string };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Several processes of ours over the same stores and engines. */
export class Deployment {
  private readonly running: RunningOrchestrator[] = [];
  private readonly cleanups: (() => Promise<unknown>)[] = [];

  private constructor(
    readonly db: pg.Pool,
    /** Null where the caller brought a Redis of its own. */
    readonly redis: Redis | null,
    private readonly base: Omit<OrchestratorOptions, 'roles'>,
  ) {}

  static async create(options: DeploymentOptions): Promise<Deployment> {
    const directory = await makeTempDir();
    const { databaseUrl: ownDatabase, redisUrl: ownRedis } = options.stores ?? {};
    const [database, redis] = await Promise.all([
      ownDatabase === undefined ? freshDatabase() : { url: ownDatabase, drop: nothing },
      ownRedis === undefined ? freshRedis() : { url: ownRedis, redis: null, drop: nothing },
    ]);
    const db = new pg.Pool({ connectionString: database.url });
    db.on('error', () => undefined); // Some tests kill the server.
    const deployment = new Deployment(db, redis.redis, {
      directory,
      config: { pools: [poolOf(options)], ...options.config },
      env: { ...options.env },
      stores: { databaseUrl: database.url, redisUrl: redis.url },
    });
    deployment.cleanups.push(
      async () => {
        await db.end();
        await Promise.all([database.drop(), redis.drop()]);
      },
      () => rm(directory, { recursive: true, force: true }),
    );
    return deployment;
  }

  /** Starts one more process. @param change over the configuration of all */
  async start(
    roles: readonly Role[],
    change: {
      readonly config?: Readonly<Record<string, unknown>>;
      readonly env?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<RunningOrchestrator> {
    const config = { ...this.base.config, ...change.config };
    const started = await startOrchestrator({ ...this.base, roles, config, env: { ...this.base.env, ...change.env } });
    this.running.push(started);
    return started;
  }

  /** Ends every process and removes what was made. */
  async drop(): Promise<void> {
    await Promise.all(this.running.map((process) => process.kill9()));
    for (const cleanup of this.cleanups) await cleanup();
  }

  /** A column or more of a task's row. */
  async row(taskId: string): Promise<Record<string, unknown> | null> {
    const found = await this.db.query<Record<string, unknown>>('SELECT * FROM tasks WHERE task_id = $1', [taskId]);
    return found.rows[0] ?? null;
  }

  async untilState(taskId: string, ...states: readonly string[]): Promise<Record<string, unknown>> {
    return waitUntil(`task ${taskId} to be ${states.join(' or ')}`, async () => {
      const row = await this.row(taskId);
      if (row !== null && !states.includes(String(row['state']))) throw new Error(`it is ${String(row['state'])}`);
      return row;
    });
  }
}

const nothing = (): Promise<void> => Promise.resolve();

function poolOf({ engines, pool }: DeploymentOptions): Record<string, unknown> {
  return {
    id: 'default',
    aliases: ['default'],
    engine: { id: 'llamacpp' },
    model: { ref: 'scripted' },
    health: { interval_ms: 100, timeout_ms: 1000 },
    replicas: engines.map((url, place) => ({ id: `r${place}`, url })),
    ...pool,
  };
}

/** A request that any deployment here accepts, with an id and a prompt of its own. */
export function aTask(change: Readonly<Record<string, unknown>> = {}) {
  const task_id = randomUUID();
  return {
    task_id,
    workload: 'completion',
    model_ref: 'default',
    prompt: `prompt of ${task_id}`,
    max_tokens: 1000,
    ...change,
  };
}

/** One HTTP call; a body of undefined sends none. */
export async function call(
  url: string,
  method = 'GET',
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const json: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = await fetch(url, {
    method,
    headers: { ...json, ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.includes('json') === true;
  return { status: answer.status, headers: answer.headers, body: isJson ? (JSON.parse(text) as unknown) : text };
}

/** Hands a task in and expects it to be accepted. */
export async function submit(url: string, task: object): Promise<Answer> {
  const answer = await call(`${url}/v2/tasks`, 'POST', task);
  if (answer.status !== 202) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer;
}

export async function cancel(url: string, taskId: string): Promise<Answer> {
  return call(`${url}/v2/tasks/${taskId}/cancel`, 'POST');
}
