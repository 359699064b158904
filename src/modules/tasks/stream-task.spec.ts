import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { EventHub, EventLog, Follower } from '../events/index.js';
import { StreamTask } from './stream-task.js';
import type { TasksRepository } from './tasks.repository.js';

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const follower = { begin: () => undefined, leave: () => undefined } as unknown as Follower;
const hub = { id: 'hub', follow: () => follower } as unknown as EventHub;
const transcripts = { assertKept: () => Promise.resolve() } as never;
const options = { afterId: 0, verbose: false, headers: {}, onStart: () => undefined };

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

/** Reads a task's stream, whose row the test gives when it wants to. */
async function setUp(log: Pick<EventLog, 'forgetOpen'> = { forgetOpen: () => Promise.resolve() }) {
  let giveRow: (row: unknown) => void = () => undefined;
  const asked = deferred();
  const stateOf = () => {
    asked.resolve();
    return new Promise((resolve) => (giveRow = resolve));
  };
  const tasks = { stateOf } as unknown as TasksRepository;
  const streams = new StreamTask(hub, tasks, transcripts, log, { heartbeatMs: 60_000, bufferBytes: 1 });
  const here = createServer((_, response) => void streams.run('task', response, options)).listen(0, '127.0.0.1');
  server = here;
  await once(here, 'listening');
  const reader = request({ port: (here.address() as AddressInfo).port, agent: false }).end();
  const cut = deferred();
  reader.on('response', (response) => response.on('error', () => undefined).on('close', () => cut.resolve()));
  reader.on('error', () => cut.resolve());
  await asked.promise;
  return { streams, cut: cut.promise, open: (state = 'running') => giveRow({ state, cancelOnDisconnect: false }) };
}

describe('a process that stops', () => {
  it('keeps no reader whose request was still on its way in', async () => {
    const { streams, cut, open } = await setUp();
    streams.stop();
    open();
    await expect(cut).resolves.toBeUndefined();
  });
});

describe('the log of a task that has ended', () => {
  it('is forgotten where it is open, before anybody waits for its end', async () => {
    const forgotten: string[] = [];
    const log = { forgetOpen: async (taskId: string) => void forgotten.push(taskId) };
    const { streams, cut, open } = await setUp(log);
    streams.stop();
    open('completed');
    await cut;
    expect(forgotten).toEqual(['task']);
  });
});
