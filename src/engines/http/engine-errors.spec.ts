import { describe, expect, it } from 'vitest';
import { Secret } from '../../platform/config/secret.js';
import { refusalOf, streamErrorOf } from './engine-errors.js';

const endpoint = {
  poolId: 'p',
  replicaId: 'r0',
  url: 'http://127.0.0.1:1',
  timeouts: { connectMs: 1, idleMs: 1, wallMs: 1 },
};
const body = (message: unknown): string => JSON.stringify({ error: { code: 1, message, type: 'x' } });

describe('an error answer of an engine', () => {
  it('is the fault of the request for a 4xx', () => {
    expect(refusalOf(400, body('bad grammar'), endpoint)).toMatchObject({
      code: 'INVALID_PARAMS',
      message: 'The engine refused the request: bad grammar',
    });
  });

  it('is the fault of the replica for a 429 or 5xx, so that another one is tried', () => {
    for (const status of [401, 403, 408, 429, 500, 503, 302])
      expect(refusalOf(status, body('busy'), endpoint)).toMatchObject({
        code: 'REPLICA_EXHAUSTED',
        message: "The engine of replica r0 can't take the task: busy",
      });
  });

  it('is the fault of the request where no engine of the pool was started for it', () => {
    expect(refusalOf(501, body('This server does not support embeddings.'), endpoint).code).toBe('INVALID_PARAMS');
  });

  it('is read in the shape of every engine', () => {
    const shapes = [
      { error: { message: 'why' } },
      { error: 'why', error_type: 'validation' },
      { object: 'error', message: 'why', code: 400 },
      { detail: 'why' },
    ];
    for (const shape of shapes)
      expect(refusalOf(400, JSON.stringify(shape), endpoint).message).toBe('The engine refused the request: why');
  });

  it('never repeats the key that it quotes', () => {
    const locked = { ...endpoint, apiKey: new Secret('sk-very-secret') };
    expect(refusalOf(401, body('Incorrect API key provided: sk-very-secret.'), locked).message).toBe(
      "The engine of replica r0 can't take the task: Incorrect API key provided: [redacted].",
    );
    expect(streamErrorOf({ message: 'sk-very-secret' }, locked, true).message).toBe('[redacted]');
  });

  it('is told by its status when it says nothing readable', () => {
    for (const unreadable of ['', '<html>', 'null', '{"error":null}', '{"error":{"message":5}}'])
      expect(refusalOf(404, unreadable, endpoint).message).toBe('The engine refused the request: status 404');
  });

  it('is cut to a length that fits an event', () => {
    expect(refusalOf(400, body('x'.repeat(10_000)), endpoint).message.length).toBeLessThan(600);
    expect(streamErrorOf({ message: 'x'.repeat(10_000) }, endpoint, true).message).toHaveLength(500);
  });
});

describe('an error inside a stream', () => {
  it('costs the run only what had come before', () => {
    expect(streamErrorOf({ code: 500, message: 'm' }, endpoint, false).afterFirstByte).toBe(false);
    expect(streamErrorOf({ code: 500, message: 'm' }, endpoint, true)).toMatchObject({
      code: 'WORKER_RESET',
      afterFirstByte: true,
    });
    expect(streamErrorOf({ code: 400, message: 'm' }, endpoint, true)).toMatchObject({
      code: 'INVALID_PARAMS',
      afterFirstByte: true,
    });
  });

  it('is readable whatever its shape', () => {
    for (const odd of [null, '', 5, {}, { message: 5 }])
      expect(streamErrorOf(odd, endpoint, true).message).toBe('the engine reported an error');
  });
});
