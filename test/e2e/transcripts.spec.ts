import { createHash, randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/modules/artifacts/index.js';
import { aTask, call, cancel, Deployment, submit } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { makeTempDir } from '../support/temp-dirs.js';
import { waitUntil } from '../support/wait-until.js';

interface TranscriptEvent {
  readonly id: number;
  readonly event: string;
  readonly data: string;
}

interface Transcript {
  readonly id: string;
  readonly kind: string;
  readonly tags: string[];
  readonly metadata: object;
  readonly content: {
    readonly task_id: string;
    readonly request: Record<string, unknown>;
    readonly state: string;
    readonly error: object | null;
    readonly metrics: object;
    readonly events: TranscriptEvent[];
  };
}

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

describe('the transcript of a task', () => {
  let engine: ScriptedEngine;
  let directory: string;
  let all: Deployment;
  let one: RunningOrchestrator;
  let two: RunningOrchestrator;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 8 });
    directory = await makeTempDir();
    all = await Deployment.create({
      engines: [engine.url],
      // Ten megabytes keep the process of the tests, and with it the engine, from answering for a while.
      pool: { health: { interval_ms: 100, timeout_ms: 10_000 } },
      config: { artifacts: { store: 'fs', dir: directory } },
    });
    one = await all.start(['api', 'worker']);
    two = await all.start(['api']);
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
    await rm(directory, { recursive: true, force: true });
  });

  /** The transcript that the task's row names, once the task has ended; by the other process. */
  async function transcriptOf(taskId: string): Promise<Transcript> {
    const id = await waitUntil('the transcript', async () => (await all.row(taskId))?.['artifact_id'] as string | null);
    const task = await call(`${two.url}/v2/tasks/${taskId}`);
    expect(task.body).toMatchObject({ artifact_id: id });
    const answer = await call(`${two.url}/v2/artifacts/${id}`);
    expect(answer.status).toBe(200);
    const transcript = answer.body as Transcript;
    expect(transcript).toMatchObject({ id, kind: 'transcript', digest: id, parent: null });
    expect(`sha256:${sha256(canonicalJson({ kind: 'transcript', content: transcript.content }))}`).toBe(id);
    const found = await call(`${one.url}/v2/artifacts?kind=transcript&tag=task:${taskId}`);
    const { content: _content, ...summary } = transcript;
    expect(found.body).toEqual({ items: [summary], next_cursor: null });
    return transcript;
  }

  /** Everything a reader gets: plain and verbose, from the start and from any id on. */
  async function readings(taskId: string, lastId: number): Promise<string[]> {
    const found: string[] = [];
    for (const verbose of [false, true]) {
      for (let lastEventId = 0; lastEventId <= lastId; lastEventId++) {
        const at = lastEventId % 2 === 0 ? one : two;
        const reader = await SseClient.read(at.url, taskId, { verbose, lastEventId });
        await reader.untilEnd();
        found.push(reader.frames);
      }
    }
    return found;
  }

  /** What Redis does to the log of an ended task after streaming.event_ttl_s. */
  async function expire(taskId: string): Promise<void> {
    const keys = (await all.redis?.keys(`*${taskId}*`)) ?? [];
    expect(keys.length).toBeGreaterThan(0);
    await all.redis?.del(...keys);
  }

  async function ended(texts: readonly string[], change: object = {}): Promise<{ taskId: string; prompt: string }> {
    const task = aTask(change as Record<string, unknown>);
    await submit(one.url, task);
    const run = await engine.run(task.prompt);
    for (const text of texts) run.tokens(1, () => text);
    run.end();
    await all.untilState(task.task_id, 'queued', 'running', 'completed');
    await waitUntil('the row to be closed', async () => (await all.row(task.task_id))?.['state'] === 'completed');
    return { taskId: task.task_id, prompt: task.prompt };
  }

  it('of a completed one says what was asked, but not the words, and what came', async () => {
    const sampling = { temperature: 0, grammar: 'root ::= "a"' };
    const { taskId, prompt } = await ended([' one', ' two'], { session_id: randomUUID(), sampling });
    const { content, tags, metadata } = await transcriptOf(taskId);
    const session = String((await all.row(taskId))?.['session_id']);
    expect(tags).toEqual([`session:${session}`, `task:${taskId}`]);
    expect(metadata).toMatchObject({ state: 'completed', tokens_out: 2, finish_reason: 'stop' });
    expect(content).toMatchObject({
      task_id: taskId,
      session_id: session,
      state: 'completed',
      error: null,
      workload: 'completion',
      pool_id: 'default',
      request: {
        prompt: { length: Buffer.byteLength(prompt), sha256: sha256(prompt) },
        max_tokens: 1000,
        sampling,
      },
      metrics: { tokens_in: 3, tokens_out: 2, finish_reason: 'stop' },
    });
    const reader = await SseClient.read(one.url, taskId);
    await reader.untilEnd();
    const frames = content.events.map(({ id, event, data }) => `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`);
    expect(frames.join('')).toBe(reader.frames);
  });

  it('of a canceled one, waiting or running, holds what there was', async () => {
    const running = aTask();
    await submit(two.url, running);
    const run = await engine.run(running.prompt);
    const reader = await SseClient.read(two.url, running.task_id);
    run.tokens(3);
    await reader.untilTokens(3);
    await cancel(two.url, running.task_id);
    const partial = await transcriptOf(running.task_id);
    expect(partial.content).toMatchObject({ state: 'canceled', metrics: { finish_reason: 'canceled', tokens_out: 3 } });
    expect(partial.content.events.filter(({ event }) => event === 'token')).toHaveLength(3);
    const busy = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const task = aTask();
        await submit(one.url, task);
        return engine.run(task.prompt);
      }),
    );
    const waiting = aTask();
    await submit(one.url, waiting);
    await cancel(one.url, waiting.task_id);
    const none = await transcriptOf(waiting.task_id);
    expect(none.content.events.map(({ event }) => event)).toEqual(['started', 'end']);
    for (const other of busy) other.end();
  });

  it('of a failed one holds the error and what came before it', async () => {
    // Bound to a grammar, an answer that was broken off can't go on.
    const task = aTask({ sampling: { grammar: 'root ::= "x"*' } });
    await submit(one.url, task);
    const run = await engine.run(task.prompt);
    const reader = await SseClient.read(one.url, task.task_id);
    run.tokens(2);
    await reader.untilTokens(2);
    run.cut();
    const { content } = await transcriptOf(task.task_id);
    expect(content).toMatchObject({ state: 'failed', error: { retriable: true }, metrics: { tokens_out: 2 } });
    expect(content.events.at(-1)?.event).toBe('error');
  });

  it('of one whose deadline passed in line is there', async () => {
    const busy = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const task = aTask();
        await submit(one.url, task);
        return engine.run(task.prompt);
      }),
    );
    const task = aTask({ deadline_ms: 30_000 });
    await submit(two.url, task);
    // As if the half minute were over.
    await all.redis?.zadd('{orchd}:deadlines', 1, task.task_id);
    const { content } = await transcriptOf(task.task_id);
    expect(content).toMatchObject({ state: 'failed', error: { code: 'DEADLINE_UNMET' } });
    for (const run of busy) run.end();
  });

  it('of one whose log was lost holds its end, at ids far above', async () => {
    const task = aTask();
    await submit(one.url, task);
    const run = await engine.run(task.prompt);
    await all.untilState(task.task_id, 'running');
    await all.redis?.del(`{orchd}:run:${task.task_id}`, `{orchd}:events:${task.task_id}`);
    run.tokens(1);
    const { content } = await transcriptOf(task.task_id);
    expect(content).toMatchObject({ state: 'failed', error: { code: 'WORKER_RESET' } });
    expect(content.events.map(({ event }) => event)).toEqual(['error']);
    await expire(task.task_id);
    const reader = await SseClient.read(two.url, task.task_id);
    expect((await reader.untilEnd()).map(({ id }) => id)).toEqual([content.events[0]?.id]);
  });

  it('is all that is needed when the log has expired: the same bytes for every reader', async () => {
    const odd = ['Zoë', ' \u{1F680}', '\r\n\r\n', '\u2028', 'id: 9\nevent: end\ndata: {}\n\n', '\u0000', '\\ud800'];
    const { taskId } = await ended(odd);
    const whole = await SseClient.read(one.url, taskId);
    expectWholeStream(await whole.untilEnd());
    expect(whole.tokens.map(({ data }) => data['t'])).toEqual(odd);
    const before = await readings(taskId, whole.lastId);
    await expire(taskId);
    expect(await readings(taskId, whole.lastId)).toEqual(before);
    const receipt = await cancel(two.url, taskId);
    expect([receipt.status, receipt.headers.get('x-last-event-id')]).toEqual([204, String(whole.lastId)]);
  });

  it('of ten megabytes is kept in a file, and read back whole by any process', async () => {
    const task = aTask();
    await submit(one.url, task);
    const run = await engine.run(task.prompt);
    const line = (index: number): string => `${index} ${sha256(String(index)).repeat(16)}`;
    for (let part = 0; part < 10; part++) run.tokens(1024, line);
    run.end();
    await waitUntil(
      'the row to be closed',
      async () => (await all.row(task.task_id))?.['state'] === 'completed',
      60_000,
    );
    const live = await SseClient.read(one.url, task.task_id);
    expectWholeStream(await live.untilEnd(60_000));
    expect(live.frames.length).toBeGreaterThan(10_000_000);
    await expire(task.task_id);
    const late = await SseClient.read(two.url, task.task_id);
    await late.untilEnd(60_000);
    expect(late.frames === live.frames).toBe(true);
    const { id, content } = await transcriptOf(task.task_id);
    expect(content.events).toHaveLength(live.events.length);
    const files = (await readdir(directory, { recursive: true })).filter((name) => name.includes('/'));
    expect(files).toEqual([expect.stringContaining(id.slice('sha256:'.length))]);
  });

  it('leaves no word of the prompt in Postgres', async () => {
    const secret = `xyzzy-${randomUUID()}`;
    const { taskId } = await ended(['fine'], { prompt: secret });
    const canceled = aTask({ prompt: `${secret} again` });
    await submit(one.url, canceled);
    await cancel(one.url, canceled.task_id);
    await transcriptOf(taskId);
    await transcriptOf(canceled.task_id);
    const tables = await all.db.query<{ name: string }>(
      `SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'`,
    );
    expect(tables.rows.length).toBeGreaterThan(3);
    for (const { name } of tables.rows) {
      const { rows } = await all.db.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
      for (const { row } of rows) {
        expect(row).not.toContain(secret);
        expect(row).not.toContain(Buffer.from(secret).toString('hex'));
      }
    }
    const kept = (await transcriptOf(taskId)).content;
    expect(JSON.stringify(kept)).not.toContain(secret);
  });

  it('is made again, the same and once, when settling was cut off half way', async () => {
    const { taskId } = await ended(['a', 'b']);
    const before = await transcriptOf(taskId);
    // What a crash between the two statements leaves: the artifact is there, the row is open.
    const prompt = `prompt of ${taskId}`;
    const request = { ...before.content.request, prompt };
    await all.db.query(
      `UPDATE tasks SET state = 'running', artifact_id = NULL, ended_at = NULL, request = $2, created_at = created_at WHERE task_id = $1`,
      [taskId, JSON.stringify(request)],
    );
    const shown = await call(`${two.url}/v2/tasks/${taskId}`);
    expect(shown.body).toMatchObject({ state: 'completed', artifact_id: before.id });
    expect(await transcriptOf(taskId)).toEqual(before);
  });

  it('may be deleted: then the events are gone, and the task stays', async () => {
    const { taskId } = await ended(['a']);
    const { id } = await transcriptOf(taskId);
    expect((await call(`${one.url}/v2/artifacts/${id}`, 'DELETE')).status).toBe(204);
    expect(await call(`${one.url}/v2/artifacts/${id}`)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect((await call(`${one.url}/v2/artifacts/${id}`, 'DELETE')).status).toBe(404);
    for (const isExpired of [false, true]) {
      if (isExpired) await expire(taskId);
      const answer = await call(`${two.url}/v2/tasks/${taskId}/events`);
      expect(answer).toMatchObject({
        status: 404,
        body: { code: 'NOT_FOUND', message: expect.stringContaining('transcript artifact was deleted') as string },
      });
    }
    expect(await call(`${one.url}/v2/tasks/${taskId}`)).toMatchObject({ status: 200, body: { state: 'completed' } });
    expect((await cancel(one.url, taskId)).status).toBe(204);
  });

  it('is not needed for tasks that ended before there were any', async () => {
    const { taskId } = await ended(['old', ' times']);
    const whole = await SseClient.read(one.url, taskId, { verbose: true });
    await whole.untilEnd();
    const { id } = await transcriptOf(taskId);
    // The row and archive of the version before: one chunk, kept as it is. See log-chunk.ts for the format.
    const plain = await SseClient.read(one.url, taskId);
    await plain.untilEnd();
    const digits = [1, whole.lastId, Buffer.byteLength(plain.frames), Buffer.byteLength(whole.frames)];
    const head = `\0${taskId}1${digits.map((n) => String(n).padStart(10, '0')).join('')}`;
    const archive = Buffer.from(head + plain.frames + whole.frames, 'utf8');
    await all.db.query('INSERT INTO event_archives (task_id, chunks) VALUES ($1, $2)', [taskId, archive]);
    await all.db.query('UPDATE tasks SET artifact_id = NULL WHERE task_id = $1', [taskId]);
    await all.db.query('DELETE FROM artifacts WHERE id = $1', [id]);
    const before = await readings(taskId, whole.lastId);
    await expire(taskId);
    expect(await readings(taskId, whole.lastId)).toEqual(before);
    expect(before[0]).toBe(plain.frames);
    expect(await call(`${one.url}/v2/tasks/${taskId}`)).toMatchObject({ body: { artifact_id: null } });
  });
});
