import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { EngineAgent } from '../../../src/engines/http/lean/lean-agent.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { LlamacppAdapter } from '../../../src/engines/llamacpp/llamacpp.adapter.js';
import type { EngineUsage } from '../../../src/engines/engine-adapter.port.js';
import type { PoolManager, ReplicaAnnouncement } from '../../../src/modules/pool-manager/index.js';
import { Fixture, isRunning } from './fixture.js';

/** Shared by all test runs: the engine is installed once. */
const ENGINES = join(import.meta.dirname, '../../../node_modules/.cache/orchestratord/engines');
const WAIT = { timeout: 120_000, interval: 100 };

describe('a real llama.cpp from npm with the demo model', () => {
  const agent = new EngineAgent();
  const adapter = new LlamacppAdapter(agent);
  let fixture: Fixture;
  let manager: PoolManager;

  beforeAll(async () => {
    fixture = await Fixture.make();
    const script = join(import.meta.dirname, '../../../dist/bundled/engine-host.js');
    const engineHost = { node: process.execPath, script };
    manager = fixture.manager({ ...fixture.settings, mayInstall: true, enginesDir: ENGINES, engineHost }, adapter);
  });

  afterAll(async () => {
    await manager.stop();
    await agent.destroy();
    await fixture.remove();
  });

  async function ready(): Promise<ReplicaAnnouncement> {
    return vi.waitFor(() => {
      const [status] = manager.statuses();
      if (status?.state !== 'ready') throw new Error(`not yet: ${status?.lastError ?? fixture.lines.join('\n')}`);
      return status;
    }, WAIT);
  }

  async function decode(url: string): Promise<{ text: string; usage: EngineUsage }> {
    const endpoint = { poolId: 'p', replicaId: 'r0', url, timeouts: fixture.pool().timeouts };
    const request = {
      taskId: randomUUID(),
      correlationId: 'c',
      model: undefined,
      work: {
        kind: 'completion' as const,
        input: { prompt: 'Hello' },
        maxTokens: 8,
        seed: 1,
        sampling: undefined,
      },
    };
    return new Promise((resolve, reject) => {
      let text = '';
      const sink = {
        onPrompt: () => undefined,
        onToken: (token: string) => (text += token),
        onEnd: (usage: EngineUsage) => resolve({ text, usage }),
        onError: reject,
      };
      adapter.submit(endpoint, request, sink, new AbortController().signal);
    });
  }

  it('is provisioned, started, tested, decodes, and is gone after stop', async () => {
    const engine = {
      id: 'llamacpp',
      packageName: 'node-llama-cpp',
      version: null,
      servedModelName: undefined,
    } as const;
    manager.start([fixture.pool({ engine, ctx: undefined, slots: 2 })]);
    const replica = await ready();
    expect(replica.slots).toBe(2);
    expect(replica.ctxMax).toBeGreaterThan(0);
    // One layer of two heads of 32, keys and values in two bytes each.
    expect(replica.kvBytesPerToken).toBe(256);
    const { text, usage } = await decode(replica.url ?? '');
    expect(text).not.toBe('');
    expect(usage.tokensOut).toBeGreaterThan(0);
    await manager.stop();
    expect(await isRunning(replica.pid ?? 0)).toBe(false);
  });
});
