import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judge, simulate } from '../../../bench/eta/simulate.mjs';
import { unmeasured, withRun, withStart, type PoolPerf } from '../pools/index.js';
import { estimateRun, estimateStart, onTimeProbability, type StartFacts } from './estimate-start.js';

/** A pool whose tasks take 100 ms and then 100 ms a token, as asked for: 50 tokens. */
function steadyPool(runs = 200, askedTokens = 50): PoolPerf {
  let perf = unmeasured;
  for (let n = 0; n < runs; n++) {
    const runMs = 100 + askedTokens * 100;
    perf = withRun(perf, { priority: 'interactive', tokensOut: askedTokens, askedTokens, runMs, firstTokenMs: 100 });
  }
  return perf;
}

function facts(changes: Partial<StartFacts> = {}): StartFacts {
  return {
    priority: 'interactive',
    position: 0,
    slots: 2,
    freeSlots: 0,
    tokensAhead: 0,
    running: [],
    perf: steadyPool(),
    hintMs: 1000,
    batchShare: 0,
    nowMs: 1_000_000,
    ...changes,
  };
}

const runsSince = (...elapsedMs: number[]): StartFacts['running'] =>
  elapsedMs.map((ms) => ({ expectedTokens: 50, startedMs: 1_000_000 - ms }));

describe('estimating when a task starts', () => {
  it('says at once when a slot is free and nobody is ahead', () => {
    const now = { medianMs: 0, p90Ms: 0, model: null, isKnown: true };
    expect(estimateStart(facts({ freeSlots: 1 }))).toEqual(now);
    expect(estimateStart(facts({ freeSlots: 1, perf: unmeasured }))).toEqual(now);
  });

  it('counts with the hint for each place while nothing was measured, and says that it is a guess', () => {
    expect(estimateStart(facts({ position: 3, perf: unmeasured }))).toMatchObject({ medianMs: 2000, isKnown: false });
    expect(estimateStart(facts({ perf: unmeasured }))).toMatchObject({ medianMs: 500, model: null });
  });

  it('waits for what is left of the running tasks, where it knows them', () => {
    const [late, soon] = [runsSince(100, 200), runsSince(4000, 4500)].map((running) =>
      estimateStart(facts({ running })),
    );
    expect(late?.medianMs).toBeGreaterThan(4000);
    expect(late?.medianMs).toBeLessThan(5500);
    expect(soon?.medianMs).toBeGreaterThan(200);
    expect(soon?.medianMs).toBeLessThan(1500);
  });

  it('shares the measured work ahead among the slots', () => {
    // Ten tasks of 5,100 ms on two slots, after the first of two running ones.
    const { medianMs, p90Ms } = estimateStart(facts({ position: 10, tokensAhead: 500 }));
    expect(medianMs).toBeGreaterThan(24_000);
    expect(medianMs).toBeLessThan(30_000);
    expect(p90Ms).toBeLessThan(40_000);
  });

  it('lets batch wait for the interactive tasks that come meanwhile, up to its share', () => {
    let perf = steadyPool();
    for (let at = 940_000; at < 1_000_000; at += 5000)
      perf = withStart(perf, { priority: 'interactive', atMs: at, wait: null });
    const line = { position: 4, tokensAhead: 200, perf } as const;
    const interactive = estimateStart(facts(line)).medianMs;
    const batch = estimateStart(facts({ ...line, priority: 'batch' })).medianMs;
    const shared = estimateStart(facts({ ...line, priority: 'batch', batchShare: 0.9 })).medianMs;
    expect(batch).toBeGreaterThan(interactive * 1.5);
    expect(shared).toBeLessThan(batch);
  });

  it('learns from the waits how far the model is off', () => {
    const wait = { modelMs: 1000, spread: 0.5, actualMs: 2000 };
    let perf = steadyPool();
    for (let n = 0; n < 500; n++) perf = withStart(perf, { priority: 'interactive', atMs: n, wait });
    const before = estimateStart(facts({ position: 4, tokensAhead: 200 }));
    const after = estimateStart(facts({ position: 4, tokensAhead: 200, perf }));
    expect(after.medianMs).toBeGreaterThan(before.medianMs);
    expect(after.p90Ms).toBeGreaterThanOrEqual(after.medianMs);
    expect(after.model).toEqual(before.model);
    const batch = facts({ position: 4, tokensAhead: 200, perf, priority: 'batch', nowMs: 1e9 });
    expect(estimateStart(batch).medianMs).toBe(estimateStart({ ...batch, perf: steadyPool() }).medianMs);
  });

  const sample = fc.record({
    priority: fc.constantFrom('interactive' as const, 'batch' as const),
    tokensOut: fc.nat({ max: 2000 }),
    askedTokens: fc.nat({ max: 2000 }),
    runMs: fc.nat({ max: 100_000 }),
    firstTokenMs: fc.nat({ max: 5000 }),
  });
  const start = fc.record({
    priority: fc.constantFrom('interactive' as const, 'batch' as const),
    atMs: fc.integer({ min: 900_000, max: 1_000_000 }),
    wait: fc.option(
      fc.record({
        actualMs: fc.nat({ max: 1e6 }),
        modelMs: fc.nat({ max: 1e6 }),
        spread: fc.double({ min: 0, max: 3, noNaN: true }),
      }),
      { nil: null },
    ),
  });
  const anyPerf = fc
    .tuple(fc.array(sample, { maxLength: 30 }), fc.array(start, { maxLength: 30 }))
    .map(([runs, starts]) => starts.reduce(withStart, runs.reduce(withRun, unmeasured)));
  const anyFacts = fc.record<StartFacts>({
    priority: fc.constantFrom('interactive', 'batch'),
    position: fc.nat({ max: 2000 }),
    slots: fc.nat({ max: 64 }),
    freeSlots: fc.nat({ max: 4 }),
    tokensAhead: fc.nat({ max: 1e6 }),
    running: fc.array(
      fc.record({ expectedTokens: fc.nat({ max: 2000 }), startedMs: fc.integer({ min: 0, max: 1_000_100 }) }),
      { maxLength: 70 },
    ),
    perf: anyPerf,
    hintMs: fc.nat({ max: 10_000 }),
    batchShare: fc.double({ min: 0, max: 1, noNaN: true }),
    nowMs: fc.constant(1_000_000),
  });

  it('is whole milliseconds whatever was measured, its p90 never below its median, and the same again', () => {
    fc.assert(
      fc.property(anyFacts, (given) => {
        const { medianMs, p90Ms } = estimateStart(given);
        expect(Number.isSafeInteger(medianMs) && medianMs >= 0).toBe(true);
        expect(Number.isSafeInteger(p90Ms) && p90Ms >= medianMs).toBe(true);
        expect(estimateStart(given)).toEqual({ ...estimateStart(given), medianMs, p90Ms });
      }),
    );
  });

  it('is never sooner further back, with tasks of the same length ahead', () => {
    fc.assert(
      fc.property(anyFacts, fc.integer({ min: 1, max: 500 }), (given, more) => {
        const place = (position: number) =>
          estimateStart({ ...given, freeSlots: 0, position, tokensAhead: 64 * position }).model?.ms ?? 0;
        const here = place(given.position);
        // The bisection stops short of a millisecond in a hundred thousand.
        expect(place(given.position + more) * 1.001 + 2).toBeGreaterThanOrEqual(here);
      }),
    );
  });
});

describe('the chance to be out in time', () => {
  it('is about one half at the sum of the medians, grows with the budget, and is a probability', () => {
    const duration = fc
      .tuple(fc.nat({ max: 1e6 }), fc.double({ min: 1, max: 5, noNaN: true }))
      .map(([medianMs, factor]) => ({ medianMs, p90Ms: Math.round(medianMs * factor) }));
    fc.assert(
      fc.property(duration, duration, fc.nat({ max: 1e7 }), fc.nat({ max: 1e6 }), (wait, run, budget, more) => {
        const chance = onTimeProbability(wait, run, budget);
        expect(chance).toBeGreaterThanOrEqual(0);
        expect(chance).toBeLessThanOrEqual(1);
        expect(onTimeProbability(wait, run, budget + more)).toBeGreaterThanOrEqual(chance - 1e-6);
      }),
    );
    const run = estimateRun(steadyPool(), 50);
    expect(run).not.toBeNull();
    expect(onTimeProbability({ medianMs: 0, p90Ms: 0 }, run!, run!.medianMs)).toBeCloseTo(0.5, 2);
    expect(onTimeProbability({ medianMs: 3000, p90Ms: 4000 }, run!, 500)).toBeLessThan(0.01);
    expect(onTimeProbability({ medianMs: 3000, p90Ms: 4000 }, run!, 60_000)).toBeGreaterThan(0.99);
  });

  it('is not known before anything was measured', () => {
    expect(estimateRun(unmeasured, 50)).toBeNull();
  });
});

describe('predictions on a simulated trace of mixed lengths', () => {
  const model = { estimateStart, withRun, withStart, unmeasured };

  it.each([1, 2, 3])('hold what the p90 says and are near in the median (seed %i)', (seed) => {
    const told = simulate(model, { seed });
    const { starts, insideP90, medianError } = judge(told);
    expect(starts).toBeGreaterThan(3000);
    expect(insideP90).toBeGreaterThan(0.85);
    expect(insideP90).toBeLessThan(0.95);
    expect(medianError).toBeLessThan(0.25);
    expect(simulate(model, { seed })).toEqual(told);
  });

  it('hold the p90 in each class, and where clients know little of their lengths', () => {
    const told = simulate(model, { seed: 1 });
    for (const priority of ['interactive', 'batch'] as const) {
      const { insideP90 } = judge(told.filter((start) => start.priority === priority));
      expect(insideP90).toBeGreaterThan(0.85);
      expect(insideP90).toBeLessThan(0.95);
    }
    const { insideP90 } = judge(simulate(model, { seed: 1, guess: 0.8 }));
    expect(insideP90).toBeGreaterThan(0.85);
    expect(insideP90).toBeLessThan(0.95);
  });
});
