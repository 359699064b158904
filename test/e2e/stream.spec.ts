import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, Deployment, submit } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

describe('the event stream of a task', () => {
  let engine: ScriptedEngine;
  let all: Deployment;
  let one: RunningOrchestrator;
  let two: RunningOrchestrator;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 8 });
    all = await Deployment.create({
      engines: [engine.url],
      config: { streaming: { heartbeat_ms: 200, reader_buffer_bytes: 65_536 } },
    });
    one = await all.start(['api', 'worker']);
    two = await all.start(['api']);
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
  });

  /** Runs a task to its end with `steps` writes of the engine. */
  async function finished(steps: readonly number[]): Promise<string> {
    const task = aTask();
    await submit(one.url, task);
    const run = await engine.run(task.prompt);
    for (const step of steps) run.tokens(step);
    run.end();
    await all.untilState(task.task_id, 'queued', 'running', 'completed');
    await waitUntil('the row to be closed', async () => (await all.row(task.task_id))?.['state'] === 'completed');
    return task.task_id;
  }

  it('begins with `started`, brings every token in order and ends once', async () => {
    const task = aTask();
    const accepted = await submit(one.url, task);
    expect(accepted.headers.get('location')).toBe(`/v2/tasks/${task.task_id}`);
    expect(accepted.body).toMatchObject({ task_id: task.task_id, queue_position: 0, pool_id: 'default' });
    const reader = await SseClient.read(one.url, task.task_id);
    const run = await engine.run(task.prompt);
    run.tokens(1);
    await reader.untilTokens(1);
    run.tokens(3);
    run.end('limit');
    const end = expectWholeStream(await reader.untilEnd());
    expect(end).toMatchObject({ event: 'end', data: { tokens_in: 3, tokens_out: 4, finish_reason: 'length' } });
    expect(end.data['decode_ms']).toBe(end.data['decode_time_ms']);
    expect(reader.tokens.map(({ data }) => data['t'])).toEqual([' t0', ' t1', ' t2', ' t3']);
  });

  it('has the headers that keep proxies from holding it back, and beats while nothing happens', async () => {
    const task = aTask();
    const reader = await SseClient.post(one.url, task, {
      'accept-encoding': 'gzip, br',
      'x-correlation-id': 'my-own-id',
    });
    expect(reader.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-correlation-id': 'my-own-id',
      location: `/v2/tasks/${task.task_id}`,
    });
    expect(reader.response.headers['content-encoding']).toBeUndefined();
    await waitUntil('two heartbeats', () => reader.comments >= 2);
    expect(reader.retries).toBe(1);
    const run = await engine.run(task.prompt);
    expect(run.correlationId).toBe('my-own-id');
    run.end();
    await reader.untilEnd();
  });

  it('comes with the POST itself when the client accepts an event stream', async () => {
    const task = aTask();
    const reader = await SseClient.post(two.url, task);
    const run = await engine.run(task.prompt);
    run.tokens(5);
    run.end();
    expectWholeStream(await reader.untilEnd());
    expect(reader.tokens).toHaveLength(5);
    const again = await SseClient.post(one.url, task);
    await again.untilEnd();
    expect(again.frames).toBe(reader.frames);
    expect(engine.runsOf(task.prompt)).toHaveLength(1);
  });

  it('is the same for every reader in every process, and only verbose readers are told stories', async () => {
    const task = aTask();
    await submit(two.url, task);
    const plain = await Promise.all([one, one, two, two].map(({ url }) => SseClient.read(url, task.task_id)));
    const verbose = await Promise.all(
      [one, two].map(({ url }) => SseClient.read(url, task.task_id, { verbose: true })),
    );
    const run = await engine.run(task.prompt);
    await run.flow(40);
    run.end();
    for (const reader of [...plain, ...verbose]) {
      expectWholeStream(await reader.untilEnd());
      expect(reader.tokens).toHaveLength(40);
    }
    for (const reader of plain) expect(reader.frames).toBe(plain[0]?.frames);
    for (const reader of verbose) expect(reader.frames).toBe(verbose[0]?.frames);
    const told = (reader: SseClient | undefined) => reader?.events.filter(({ data }) => 'human' in data).length;
    expect(told(plain[0])).toBe(0);
    expect(told(verbose[0])).toBeGreaterThan(0);
    expect(verbose[0]?.events.map(({ id, event }) => [id, event])).toEqual(
      plain[0]?.events.map(({ id, event }) => [id, event]),
    );
  });

  it('goes on behind any Last-Event-ID while the task runs, in any process', async () => {
    const task = aTask();
    await submit(one.url, task);
    const whole = await SseClient.read(one.url, task.task_id);
    const run = await engine.run(task.prompt);
    const resumed: { after: number; reader: SseClient }[] = [];
    for (let step = 0; step < 6; step++) {
      run.tokens(1 + (step % 3));
      await whole.untilTokens(run.sent);
      for (let after = 0; after <= whole.lastId; after += 1 + (step % 2)) {
        const at = (after + step) % 2 === 0 ? one : two;
        resumed.push({ after, reader: await SseClient.read(at.url, task.task_id, { lastEventId: after }) });
      }
    }
    run.end();
    expectWholeStream(await whole.untilEnd());
    for (const { after, reader } of resumed) {
      await reader.untilEnd();
      expect([after, reader.events]).toEqual([after, whole.events.filter(({ id }) => id > after)]);
    }
    expect(resumed.length).toBeGreaterThan(30);
  });

  it('can be cut at any moment and picked up elsewhere without a gap or a repeat', async () => {
    const task = aTask();
    await submit(two.url, task);
    const run = await engine.run(task.prompt);
    const flowing = run.flow(150).then(() => run.end());
    const seen: SseClient['events'] = [];
    for (let turn = 0; seen.at(-1)?.event !== 'end'; turn++) {
      const reader = await SseClient.read((turn % 2 === 0 ? one : two).url, task.task_id, {
        lastEventId: seen.at(-1)?.id ?? 0,
      });
      await waitUntil('something new', () => reader.events.length > turn % 7 || reader.ended !== null);
      reader.close();
      seen.push(...reader.events);
    }
    await flowing;
    expectWholeStream(seen);
    expect(seen.filter(({ event }) => event === 'token')).toHaveLength(150);
  });

  it('is told whole, or from any id on, after the end', async () => {
    const taskId = await finished([1, 4, 2]);
    const whole = await SseClient.read(one.url, taskId);
    expectWholeStream(await whole.untilEnd());
    for (let after = 0; after <= whole.lastId; after++) {
      const reader = await SseClient.read((after % 2 === 0 ? one : two).url, taskId, { lastEventId: after });
      await reader.untilEnd();
      expect([after, reader.events]).toEqual([after, whole.events.filter(({ id }) => id > after)]);
    }
  });

  it('ends at once for a reader that has seen the end already', async () => {
    const taskId = await finished([2]);
    const whole = await SseClient.read(one.url, taskId);
    await whole.untilEnd();
    const late = await SseClient.read(two.url, taskId, { lastEventId: whole.lastId });
    await late.untilEnd();
    expect(late.events).toEqual([]);
  });

  it('is answered from the transcript, byte for byte, when its log has expired', async () => {
    const taskId = await finished([1, 3, 1]);
    const read = async (verbose: boolean, lastEventId = 0) => {
      const reader = await SseClient.read(two.url, taskId, { verbose, lastEventId });
      await reader.untilEnd();
      return reader.frames;
    };
    const before = [await read(false), await read(true), await read(false, 3)];
    const keys = await all.redis?.keys(`*${taskId}*`);
    expect(keys?.length).toBeGreaterThan(1);
    await all.redis?.del(...(keys ?? []));
    expect([await read(false), await read(true), await read(false, 3)]).toEqual(before);
    const ended = await SseClient.read(one.url, taskId, { lastEventId: 1_000_000 });
    await ended.untilEnd();
    expect(ended.events).toEqual([]);
  });

  it('drops a reader that stops reading, which then resumes; the others never wait for it', async () => {
    const task = aTask();
    await submit(one.url, task);
    const [slow, brisk] = await Promise.all([
      SseClient.read(one.url, task.task_id),
      SseClient.read(one.url, task.task_id),
    ]);
    const run = await engine.run(task.prompt);
    run.tokens(1);
    await slow.untilTokens(1);
    slow.pause();
    const block = 'x'.repeat(81_920);
    for (let n = 0; n < 160; n++) {
      run.tokens(1, () => block);
      await brisk.untilTokens(run.sent);
    }
    run.end();
    expectWholeStream(await brisk.untilEnd());
    expect(brisk.tokens).toHaveLength(161);
    slow.resume();
    await waitUntil('the slow reader to be cut', () => slow.ended);
    expect(slow.ended).toBe('cut');
    expect(slow.lastId).toBeLessThan(brisk.lastId);
    const resumed = await SseClient.read(two.url, task.task_id, { lastEventId: slow.lastId });
    await resumed.untilEnd();
    expect([...slow.events, ...resumed.events]).toEqual(brisk.events);
  });

  it('comes whole to a late reader, also when it is many times as long as what a reader may lag behind', async () => {
    const task = aTask();
    await submit(one.url, task);
    const run = await engine.run(task.prompt);
    run.tokens(1500, (index) => `${index}${'y'.repeat(10_000)}`);
    run.end();
    await waitUntil('the row to be closed', async () => (await all.row(task.task_id))?.['state'] === 'completed');
    const readers = await Promise.all([one, two].map(({ url }) => SseClient.read(url, task.task_id)));
    readers[1]?.pause();
    await readers[0]?.untilEnd();
    readers[1]?.resume();
    for (const reader of readers) {
      expectWholeStream(await reader.untilEnd());
      expect(reader.tokens).toHaveLength(1500);
    }
  });

  it('keeps characters whole however the engine splits them', async () => {
    const task = aTask();
    const reader = await SseClient.post(one.url, task);
    const run = await engine.run(task.prompt);
    const texts = [
      'Zoë',
      ' \u{1F680}',
      'line\nbreak\r\n\r\n',
      '\u2028\u2029',
      'id: 99\nevent: end\ndata: {}\n\n',
      '\u0000\u001b',
    ];
    run.tokens(texts.length, (index) => texts[index] ?? '');
    run.end();
    expectWholeStream(await reader.untilEnd());
    expect(reader.tokens.map(({ data }) => data['t'])).toEqual(texts);
  });

  it('needs a task that exists, a proper id and a whole number as Last-Event-ID', async () => {
    const unknown = aTask().task_id;
    expect(await call(`${one.url}/v2/tasks/${unknown}/events`)).toMatchObject({
      status: 404,
      body: { code: 'NOT_FOUND' },
    });
    expect(await call(`${one.url}/v2/tasks/7/events`)).toMatchObject({
      status: 400,
      body: { details: [{ field: 'path.id' }] },
    });
    const taskId = await finished([1]);
    for (const id of ['-1', 'x', '1.5', '99999999999']) {
      const answer = await call(`${one.url}/v2/tasks/${taskId}/events`, 'GET', undefined, { 'last-event-id': id });
      expect(answer).toMatchObject({ status: 400, body: { details: [{ field: 'header.Last-Event-ID' }] } });
    }
  });

  it('leaves the task alone when its reader goes away, unless the task asked to be canceled then', async () => {
    const keeps = aTask({ on_disconnect: 'continue' });
    const leaves = aTask({ on_disconnect: 'cancel' });
    const readers = await Promise.all([SseClient.post(one.url, keeps), SseClient.post(two.url, leaves)]);
    const [kept, left] = await Promise.all([engine.run(keeps.prompt), engine.run(leaves.prompt)]);
    kept.tokens(2);
    left.tokens(2);
    await Promise.all(readers.map((reader) => reader.untilTokens(2)));
    for (const reader of readers) reader.close();
    await left.untilHungUp();
    await waitUntil('the row to be canceled', async () => (await all.row(leaves.task_id))?.['state'] === 'canceled');
    kept.tokens(1);
    kept.end();
    const later = await SseClient.read(two.url, keeps.task_id);
    expect(expectWholeStream(await later.untilEnd()).event).toBe('end');
    expect(later.tokens).toHaveLength(3);
  });

  it('is not left alone while one of several readers stays, wherever that one is', async () => {
    const task = aTask({ on_disconnect: 'cancel' });
    const first = await SseClient.post(one.url, task);
    const second = await SseClient.read(two.url, task.task_id);
    const run = await engine.run(task.prompt);
    run.tokens(1);
    await Promise.all([first.untilTokens(1), second.untilTokens(1)]);
    first.close();
    await waitUntil('the server to have noticed', async () => {
      const hubs = await all.redis?.hget(`{orchd}:run:${task.task_id}`, 'subs');
      return hubs?.split(',').length === 1;
    });
    run.tokens(1);
    await second.untilTokens(2);
    expect(run.isHungUp).toBe(false);
    second.close();
    await run.untilHungUp();
  });
});
