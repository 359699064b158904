import { describe, expect, it } from 'vitest';
import { poolConfig } from '../../contract/config.js';
import { capabilities, version } from '../../contract/meta.js';
import type { LivePool } from '../pools/index.js';
import { MetaController } from './meta.controller.js';
import { ReadCapabilities } from './read-capabilities.js';

const settings = {
  server: { bind: '127.0.0.1:0', body_limit_bytes: 2048, cors_origins: [] },
  sessions: { ttl_ms: 1000, max_turns: 3, budgets: { tokens: null, time_ms: null, cost: null } },
  streaming: { heartbeat_ms: 1000, event_ttl_s: 60, reader_buffer_bytes: 4096 },
  rate_limits: null,
};

function controller(pools: readonly LivePool[] = []): MetaController {
  return new MetaController(new ReadCapabilities({ all: () => [...pools] }, settings));
}

/** @param change over a pool whose engine has not been met */
function aPool(change: Partial<LivePool>): LivePool {
  const config = poolConfig.parse({
    id: 'p',
    aliases: ['small'],
    engine: { id: 'openai' },
    model: { ref: 'm' },
    queue: { capacity: 5 },
    admission: { priorities: [{ name: 'batch', queue_capacity: 2 }] },
  });
  return {
    config,
    replicas: [],
    ready: false,
    slots: 0,
    ctxMax: null,
    lookedMs: null,
    ...change,
  } as unknown as LivePool;
}

describe('meta', () => {
  it('tells the version of the package', () => {
    const answer = controller().version();
    expect(version.parse(answer)).toEqual(answer);
    expect(answer.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('tells what this build speaks to and what bounds a client', () => {
    const answer = controller().capabilities();
    expect(capabilities.parse(answer)).toEqual(answer);
    expect(answer.engines.find(({ id }) => id === 'llamacpp')).toMatchObject({ continues_prompts: true });
    expect(answer.engines.find(({ id }) => id === 'openai')?.features).not.toContain('prompt+grammar');
    expect(answer.limits).toMatchObject({
      body_bytes: 2048,
      session_turns: 3,
      requests_per_s: null,
      priorities: ['interactive', 'batch'],
    });
  });

  it('tells what a pool takes, and what its engines last said', () => {
    const { pools } = controller([aPool({ lookedMs: 7, ready: true, ctxMax: 99 })]).capabilities();
    expect(pools).toMatchObject([
      {
        id: 'p',
        engine: 'openai',
        model_names: ['m', 'small'],
        ready: true,
        ctx_max: 99,
        looked_ms: 7,
        queue: {
          capacity: 5,
          priorities: [
            { name: 'interactive', capacity: 5 },
            { name: 'batch', capacity: 2 },
          ],
        },
      },
    ]);
  });
});
