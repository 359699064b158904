import type { Redis } from 'ioredis';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { unmeasured, withRun, withStart, type PoolPerf, type RunSample, type StartSample } from './measure.js';
import { perfKey } from './pool-keys.js';

const saveScript = new LuaScript(new URL('./save-perf.lua', import.meta.url));

type Sample = (before: PoolPerf) => PoolPerf;

/** Samples kept while Redis is away; older ones say nothing new by then. */
const mostPending = 512;
const mostTries = 5;

interface Known {
  readonly version: number;
  readonly perf: PoolPerf;
}

const nothing: Known = { version: 0, perf: unmeasured };

/**
 * What tasks of a pool measured: speed, lengths, starts and how good predictions were. In Redis, so that every process predicts alike. Samples
 * count here at once and for all with the next `refresh`, which folds them into whatever the others have stored.
 */
export class PoolPerfRecorder {
  private readonly known = new Map<string, Known>();
  private readonly pending = new Map<string, Sample[]>();

  constructor(private readonly redis: Redis) {}

  /** What is known here; brought up to date by `refresh`. */
  of(poolId: string): PoolPerf {
    return (this.known.get(poolId) ?? nothing).perf;
  }

  /** Counts one finished task in. */
  recordRun(poolId: string, sample: RunSample): void {
    this.add(poolId, (before) => withRun(before, sample));
  }

  /** Counts one start in. */
  recordStart(poolId: string, sample: StartSample): void {
    this.add(poolId, (before) => withStart(before, sample));
  }

  /** Writes what was measured here and reads what other processes measured. Keeps what it knows while Redis is away. Never rejects. */
  async refresh(poolId: string): Promise<void> {
    const samples = this.pending.get(poolId) ?? [];
    this.pending.delete(poolId);
    try {
      const stored = await this.load(poolId);
      this.keep(poolId, samples.length === 0 ? stored : await this.save(poolId, stored, samples));
    } catch {
      const later = this.pending.get(poolId) ?? [];
      this.pending.set(poolId, [...samples, ...later].slice(-mostPending));
    }
  }

  private add(poolId: string, sample: Sample): void {
    const { version, perf } = this.known.get(poolId) ?? nothing;
    this.known.set(poolId, { version, perf: sample(perf) });
    const pending = this.pending.get(poolId);
    if (pending === undefined) this.pending.set(poolId, [sample]);
    else if (pending.push(sample) > mostPending) pending.shift();
  }

  /** Samples that came in meanwhile are counted in again. */
  private keep(poolId: string, { version, perf }: Known): void {
    const later = this.pending.get(poolId) ?? [];
    this.known.set(poolId, { version, perf: folded(perf, later) });
  }

  private async load(poolId: string): Promise<Known> {
    const [version, measures] = await this.redis.hmget(perfKey(poolId), 'version', 'measures');
    return readKnown(Number(version ?? 0), measures ?? '');
  }

  private async save(poolId: string, stored: Known, samples: readonly Sample[]): Promise<Known> {
    let { version, perf } = stored;
    for (let tries = 0; tries < mostTries; tries++) {
      const next = folded(perf, samples);
      const reply = await saveScript.run(this.redis, [perfKey(poolId)], [version, JSON.stringify(next)]);
      if (!Array.isArray(reply)) throw new Error('unexpected reply of save-perf.lua');
      if (reply[0] === 1) return { version: version + 1, perf: next };
      ({ version, perf } = readKnown(Number(reply[1]), String(reply[2])));
    }
    throw new Error('others store measures all the time');
  }
}

function folded(perf: PoolPerf, samples: readonly Sample[]): PoolPerf {
  return samples.reduce((before, sample) => sample(before), perf);
}

/** Measures of an earlier release may lack fields: those begin anew. */
function readKnown(version: number, measures: string): Known {
  if (measures === '') return { version, perf: unmeasured };
  return { version, perf: { ...unmeasured, ...(JSON.parse(measures) as Partial<PoolPerf>) } };
}
