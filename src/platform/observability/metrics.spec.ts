import { register } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { Metrics } from './metrics.js';

const replica = { engine: 'llamacpp', engineVersion: null, poolId: 'p', replicaId: 'r0' };
const pool = { engine: 'llamacpp', engineVersion: 'b1', poolId: 'p', priority: 'batch' as const };

describe('the metrics', () => {
  it('have the names, types, labels and buckets dashboards were promised', async () => {
    new Metrics();
    const metrics = new Metrics();
    metrics.taskEnqueued({ engine: 'llamacpp', engineVersion: null, poolId: 'p' }, 'interactive');
    metrics.taskStarted(replica, 'interactive');
    metrics.taskCanceled(replica, 'client');
    metrics.taskRejected(null, 'ADMISSION_REJECT');
    metrics.tokensCounted(replica, 3, 4);
    metrics.backpressureEvent('llamacpp', 'reject');
    metrics.placementDecided({ outcome: 'assigned', pinned: false, fallback: true, candidates: 2 });
    metrics.setQueueDepth(pool, 5);
    metrics.setActiveLeases('p', 1);
    metrics.setPoolReady('p', true);
    metrics.firstTokenAfter(pool, 120);
    metrics.decodedWithin(pool, 900);
    metrics.waitWasPredicted(pool, -120, true);
    metrics.setKvUsage(replica, 0.5);
    metrics.setGpus([{ labels: { ...replica, device: '1' }, utilization: 7, usedBytes: 9 }]);
    const text = await register.metrics();
    const base = 'engine="llamacpp",engine_version="unknown",pool_id="p"';
    const line = 'engine="llamacpp",engine_version="b1",pool_id="p",priority="batch"';
    for (const expected of [
      `tasks_enqueued_total{${base},replica_id="none",priority="interactive"} 1`,
      `tasks_started_total{${base},replica_id="r0",priority="interactive"} 1`,
      `tasks_canceled_total{${base},replica_id="r0",reason="client"} 1`,
      'tasks_rejected_total{engine="none",reason="ADMISSION_REJECT"} 1',
      `tokens_in_total{${base},replica_id="r0"} 3`,
      `tokens_out_total{${base},replica_id="r0"} 4`,
      'admission_backpressure_events_total{engine="llamacpp",policy="reject"} 1',
      'placement_decisions_total{outcome="assigned",pinned="false",fallback="true"} 1',
      'placement_candidates_considered 2',
      `queue_depth{${line}} 5`,
      `kv_cache_usage_ratio{${base},replica_id="r0"} 0.5`,
      `gpu_utilization{${base},replica_id="r0",device="1"} 7`,
      `vram_used_bytes{${base},replica_id="r0",device="1"} 9`,
      'active_leases{pool_id="p"} 1',
      'pool_ready{pool_id="p"} 1',
      `eta_starts_total{${line},inside_p90="true"} 1`,
      `eta_error_ms_sum{${line}} 120`,
      '# TYPE latency_first_token_ms histogram',
      '# TYPE latency_decode_ms histogram',
      '# TYPE queue_depth gauge',
      '# TYPE tasks_enqueued_total counter',
    ]) {
      expect(text).toContain(expected);
    }
    const buckets = (name: string) =>
      [...text.matchAll(new RegExp(`${name}_bucket\\{le="([^"]+)"`, 'g'))].map((match) => match[1]).join(' ');
    expect(buckets('latency_first_token_ms')).toBe('50 100 150 200 300 500 750 1000 1500 2000 3000 +Inf');
    expect(buckets('latency_decode_ms')).toBe('250 500 1000 1500 2000 3000 4000 6000 8000 12000 +Inf');
  });

  it('of a replica that is gone go too, and those of others stay', async () => {
    const metrics = new Metrics();
    const [gone, other] = ['gone', 'other'].map((replicaId) => ({ ...replica, replicaId }));
    for (const labels of [gone, other]) {
      if (labels === undefined) continue;
      metrics.taskStarted(labels, 'batch');
      metrics.tokensCounted(labels, 1, 1);
      metrics.setKvUsage(labels, 1);
    }
    await metrics.forgetReplica('p', 'gone');
    const text = await register.metrics();
    expect(text).not.toContain('replica_id="gone"');
    expect(text.match(/replica_id="other"/g)).toHaveLength(4);
  });

  it('of an engine show one version of it, and nothing while it does not say', async () => {
    const metrics = new Metrics();
    const shown = async () =>
      (await register.getSingleMetricAsString('kv_cache_usage_ratio')).match(/replica_id="v".*/g);
    for (const engineVersion of ['b1', 'b2']) metrics.setKvUsage({ ...replica, replicaId: 'v', engineVersion }, 0.5);
    expect(await shown()).toHaveLength(1);
    metrics.setKvUsage({ ...replica, replicaId: 'v', engineVersion: 'b2' }, null);
    expect(await shown()).toBeNull();
  });
});
