import { describe, expect, it } from 'vitest';
import { llamacppErrorOf, llamacppStreamError } from './llamacpp-error.js';

const endpoint = {
  poolId: 'p',
  replicaId: 'r0',
  url: 'http://127.0.0.1:1',
  timeouts: { connectMs: 1, idleMs: 1, wallMs: 1 },
};
const body = (message: unknown): string => JSON.stringify({ error: { code: 1, message, type: 'x' } });

describe('an error answer of llama-server', () => {
  it('is the fault of the request for a 4xx', () => {
    expect(llamacppErrorOf(400, body('bad grammar'), endpoint)).toMatchObject({
      code: 'INVALID_PARAMS',
      message: 'The engine refused the request: bad grammar',
    });
  });

  it('is the fault of the replica for a 429 or 5xx, so that another one is tried', () => {
    for (const status of [429, 500, 503])
      expect(llamacppErrorOf(status, body('busy'), endpoint)).toMatchObject({
        code: 'REPLICA_EXHAUSTED',
        message: "The engine of replica r0 can't take the task: busy",
      });
  });

  it('is told by its status when it says nothing readable', () => {
    for (const unreadable of ['', '<html>', 'null', '{"error":null}', '{"error":{"message":5}}'])
      expect(llamacppErrorOf(404, unreadable, endpoint).message).toBe('The engine refused the request: status 404');
  });

  it('is cut to a length that fits an event', () => {
    expect(llamacppErrorOf(400, body('x'.repeat(10_000)), endpoint).message.length).toBeLessThan(600);
    expect(llamacppStreamError({ message: 'x'.repeat(10_000) }).message).toHaveLength(500);
  });
});

describe('an error inside a stream', () => {
  it('has come after the engine began', () => {
    expect(llamacppStreamError({ code: 500, message: 'm' })).toMatchObject({
      code: 'WORKER_RESET',
      afterFirstByte: true,
    });
    expect(llamacppStreamError({ code: 400, message: 'm' })).toMatchObject({
      code: 'INVALID_PARAMS',
      afterFirstByte: true,
    });
  });

  it('is readable whatever its shape', () => {
    for (const odd of [null, 'text', 5, {}, { message: 5 }])
      expect(llamacppStreamError(odd).message).toBe('the engine reported an error');
  });
});
