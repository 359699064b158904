import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment, submit } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { SseClient } from '../support/sse-client.js';
import { makeTempDir } from '../support/temp-dirs.js';
import { waitUntil } from '../support/wait-until.js';

const replica = 'engine engine_version pool_id replica_id';
const pool = 'engine engine_version pool_id priority';

/** DESIGN §12, as far as the data plane feeds it: dashboards are built on these. Labels in any order. */
const promised: Readonly<
  Record<string, { readonly type: string; readonly labels: string; readonly buckets?: string }>
> = {
  tasks_enqueued_total: { type: 'counter', labels: `${replica} priority` },
  tasks_started_total: { type: 'counter', labels: `${replica} priority` },
  tasks_canceled_total: { type: 'counter', labels: `${replica} reason` },
  tasks_rejected_total: { type: 'counter', labels: 'engine reason' },
  tokens_in_total: { type: 'counter', labels: replica },
  tokens_out_total: { type: 'counter', labels: replica },
  admission_backpressure_events_total: { type: 'counter', labels: 'engine policy' },
  placement_decisions_total: { type: 'counter', labels: 'outcome pinned fallback' },
  queue_depth: { type: 'gauge', labels: pool },
  kv_cache_usage_ratio: { type: 'gauge', labels: replica },
  gpu_utilization: { type: 'gauge', labels: `${replica} device` },
  vram_used_bytes: { type: 'gauge', labels: `${replica} device` },
  active_leases: { type: 'gauge', labels: 'pool_id' },
  pool_ready: { type: 'gauge', labels: 'pool_id' },
  placement_candidates_considered: { type: 'gauge', labels: '' },
  latency_first_token_ms: {
    type: 'histogram',
    labels: pool,
    buckets: '50 100 150 200 300 500 750 1000 1500 2000 3000 +Inf',
  },
  latency_decode_ms: {
    type: 'histogram',
    labels: pool,
    buckets: '250 500 1000 1500 2000 3000 4000 6000 8000 12000 +Inf',
  },
};

/** As a workstation with two cards answers. */
const nvidiaSmi = `#!/bin/sh
echo '0, NVIDIA RTX A6000, 49140, 48140, 37, 550.54.15'
echo '1, NVIDIA GeForce RTX 3060, 12288, 11909, 0, 550.54.15'
`;

describe('metrics after real traffic', () => {
  let engine: ScriptedEngine;
  let all: Deployment;
  let home: RunningOrchestrator;
  let directory: string;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 1 });
    engine.metrics = '# TYPE llamacpp:kv_cache_usage_ratio gauge\nllamacpp:kv_cache_usage_ratio 0.25\n';
    directory = await makeTempDir();
    await mkdir(join(directory, 'bin'));
    await writeFile(join(directory, 'bin/nvidia-smi'), nvidiaSmi);
    await chmod(join(directory, 'bin/nvidia-smi'), 0o755);
    all = await Deployment.create({
      engines: [],
      pool: { replicas: [{ id: 'r0', url: engine.url, device_mask: '0' }], queue: { capacity: 1 } },
      env: { PATH: `${join(directory, 'bin')}:${env['PATH'] ?? ''}` },
    });
    home = await all.start(['api', 'worker', 'pool-manager']);
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
    await rm(directory, { recursive: true, force: true });
  });

  const scrape = async (): Promise<string> => String((await call(`${home.url}/metrics`)).body);

  function labelSets(text: string, name: string): string[] {
    const suffix = promised[name]?.type === 'histogram' ? '_bucket' : '';
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name}${suffix}{`) || line.startsWith(`${name}${suffix} `))
      .map((line) => [...line.matchAll(/(\w+)="/g)].map((match) => match[1] ?? '').filter((label) => label !== 'le'))
      .map((labels) => labels.toSorted().join(' '));
  }

  it('have every name, type, label and bucket that was promised, with the values that came', async () => {
    const [done, canceled] = [aTask(), aTask()];
    await submit(home.url, done);
    const first = await engine.run(done.prompt);
    const reader = await SseClient.post(home.url, canceled);
    expect(await call(`${home.url}/v2/tasks`, 'POST', aTask())).toMatchObject({ status: 429 });
    expect(await call(`${home.url}/v2/tasks`, 'POST', aTask({ model_ref: 'nobody' }))).toMatchObject({ status: 503 });
    first.tokens(5);
    first.end();
    await all.untilState(done.task_id, 'completed');
    const second = await engine.run(canceled.prompt);
    second.tokens(1);
    await reader.untilTokens(1);
    expect((await cancel(home.url, canceled.task_id)).status).toBe(204);
    await all.untilState(canceled.task_id, 'canceled');
    const text = await waitUntil('the gauges', async () => {
      const found = await scrape();
      return found.includes('kv_cache_usage_ratio{') && found.includes('gpu_utilization{') && found;
    });
    for (const [name, { type, labels, buckets }] of Object.entries(promised)) {
      expect(text).toContain(`# TYPE ${name} ${type}\n`);
      const sets = labelSets(text, name);
      expect([name, sets.length > 0]).toEqual([name, true]);
      const wanted = labels.split(' ').toSorted().join(' ').trim();
      expect([name, [...new Set(sets)]]).toEqual([name, [wanted]]);
      if (buckets === undefined) continue;
      const found = [...text.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"`, 'gm'))].map((match) => match[1]);
      expect([name, [...new Set(found)].join(' ')]).toEqual([name, buckets]);
    }
    const at = 'engine="llamacpp",engine_version="b1-scripted",pool_id="default",replica_id="r0"';
    for (const line of [
      `tasks_started_total{${at},priority="interactive"} 2`,
      `tokens_out_total{${at}} 6`,
      `kv_cache_usage_ratio{${at}} 0.25`,
      `gpu_utilization{${at},device="0"} 37`,
      `vram_used_bytes{${at},device="0"} ${1000 * 1_048_576}`,
      'pool_ready{pool_id="default"} 1',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(text).not.toContain('device="1"');
  });
});
