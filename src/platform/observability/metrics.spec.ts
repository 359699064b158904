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
});
