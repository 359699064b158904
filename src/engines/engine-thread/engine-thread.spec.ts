import { describe, expect, it } from 'vitest';
import { EngineThread } from './engine-thread.js';

/** A script for a thread, in plain JavaScript. */
const script = (text: string): URL =>
  new URL(`data:text/javascript,${encodeURIComponent(`import { parentPort } from 'node:worker_threads'; ${text}`)}`);
const hello = `parentPort.postMessage({ engines: [{ engine: 'mock', can: ['metrics'] }] });`;
const untilClosed = `parentPort.on('message', ({ kind }) => { if (kind === 'close') parentPort.close(); });`;

describe('the engine thread', () => {
  it('says which engines it speaks to, and ends when it is closed', async () => {
    const broken: Error[] = [];
    const thread = await EngineThread.start(script(hello + untilClosed), (error) => broken.push(error));
    const adapter = thread.adapters.get('mock');
    expect([adapter?.metrics !== undefined, adapter?.countTokens !== undefined]).toEqual([true, false]);
    await thread.close();
    expect(broken).toEqual([]);
  });

  it('says why it can not start', async () => {
    const start = (text: string) => EngineThread.start(script(text), () => undefined);
    await expect(start(`throw new Error('no engines here');`)).rejects.toThrow('no engines here');
    await expect(start('')).rejects.toThrow('the engine thread ended before it began');
  });

  it('tells when it breaks, and can still be closed', async () => {
    const broken: string[] = [];
    const text = `${hello} parentPort.once('message', () => { throw new Error('a fault'); });`;
    const thread = await EngineThread.start(script(text), ({ message }) => broken.push(message));
    const endpoint = { poolId: 'p', replicaId: 'r', url: 'http://h', timeouts: { connectMs: 1, idleMs: 1, wallMs: 1 } };
    void thread.adapters.get('mock')?.metrics?.(endpoint, new AbortController().signal);
    await expect.poll(() => broken.length).toBe(1);
    await thread.close();
    expect(broken).toEqual(['a fault']);
  });
});
