import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { circuitPhase, type CircuitBoard, type CircuitPhase, type CircuitRules, type OpenCircuit } from '../circuit.js';
import { Breaker } from './breaker.js';

const rules: CircuitRules = { failures: 3, windowMs: 1000, openMs: 500, longestOpenMs: 3000 };

class OneCircuit implements CircuitBoard {
  circuit: OpenCircuit | null = null;
  of = (): OpenCircuit | null => this.circuit;
  set = (_poolId: string, _replicaId: string, circuit: OpenCircuit | null): void => {
    this.circuit = circuit;
  };
}

function setUp() {
  const clock = { ms: 1_000_000, now: () => clock.ms };
  const board = new OneCircuit();
  const breaker = new Breaker({ poolId: 'p', replicaId: 'r' }, rules, board, clock);
  return { clock, board, breaker };
}

type Step = { readonly kind: 'ok' | 'bad' } | { readonly kind: 'wait'; readonly ms: number };
const someSteps = fc.array(
  fc.oneof(
    fc.constant<Step>({ kind: 'ok' }),
    fc.constant<Step>({ kind: 'bad' }),
    fc.integer({ min: 0, max: 2500 }).map((ms): Step => ({ kind: 'wait', ms })),
  ),
  { maxLength: 60 },
);

/** The rules in the plainest words: every outcome is remembered with its time. */
class Model {
  phase: 'closed' | { untilMs: number; trips: number } = 'closed';
  outcomes: { atMs: number; isOk: boolean }[] = [];

  at(nowMs: number): CircuitPhase {
    if (this.phase === 'closed') return 'closed';
    return nowMs < this.phase.untilMs ? 'open' : 'half_open';
  }

  outcome(nowMs: number, isOk: boolean): void {
    const before = this.at(nowMs);
    if (before === 'open') return;
    if (before === 'half_open' && isOk) this.phase = 'closed';
    if (before === 'half_open') this.outcomes = [];
    this.outcomes.push({ atMs: nowMs, isOk });
    const tenth = rules.windowMs / 10;
    const recent = this.outcomes.filter(({ atMs }) => Math.floor(atMs / tenth) > Math.floor(nowMs / tenth) - 10);
    const bad = recent.filter((outcome) => !outcome.isOk).length;
    if (isOk || (before === 'closed' && (bad < rules.failures || bad < recent.length - bad))) return;
    const trips = this.phase === 'closed' ? 1 : this.phase.trips + 1;
    this.phase = { trips, untilMs: nowMs + Math.min(rules.longestOpenMs, rules.openMs * 2 ** (trips - 1)) };
    this.outcomes = [];
  }
}

describe('a breaker', () => {
  it('does in every order of events what its rules say', () => {
    fc.assert(
      fc.property(someSteps, (steps) => {
        const { clock, board, breaker } = setUp();
        const model = new Model();
        for (const step of steps) {
          if (step.kind === 'wait') clock.ms += step.ms;
          else {
            model.outcome(clock.ms, step.kind === 'ok');
            if (step.kind === 'ok') breaker.succeeded();
            else breaker.failed('why');
          }
          expect(breaker.phase).toBe(model.at(clock.ms));
          expect(board.circuit?.untilMs ?? null).toBe(model.phase === 'closed' ? null : model.phase.untilMs);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('stays closed while most tasks go well', () => {
    const { breaker } = setUp();
    for (let n = 0; n < 50; n++) {
      breaker.succeeded();
      breaker.succeeded();
      breaker.failed('now and then');
    }
    expect(breaker.phase).toBe('closed');
  });

  it('opens on failures, lets one try after a while, and closes when that goes well', () => {
    const { breaker, clock, board } = setUp();
    for (let n = 0; n < rules.failures; n++) breaker.failed('lost');
    expect(breaker.phase).toBe('open');
    expect(board.circuit).toMatchObject({ reason: 'lost', trips: 1, sinceMs: clock.ms });
    clock.ms += rules.openMs;
    expect(breaker.phase).toBe('half_open');
    breaker.succeeded();
    expect(breaker.phase).toBe('closed');
    breaker.failed('once');
    expect(breaker.phase).toBe('closed');
  });

  it('goes by what another process has found', () => {
    const { breaker, clock, board } = setUp();
    board.circuit = { sinceMs: clock.ms, untilMs: clock.ms + 100, trips: 2, reason: 'seen elsewhere' };
    breaker.succeeded();
    expect(breaker.phase).toBe('open');
    clock.ms += 100;
    breaker.failed('again');
    expect(board.circuit).toMatchObject({ trips: 3, untilMs: clock.ms + 4 * rules.openMs });
  });

  it('says nothing any more once it is retired', () => {
    const { breaker, board } = setUp();
    breaker.retire();
    for (let n = 0; n < 10; n++) breaker.failed('an engine that is gone');
    expect(board.circuit).toBeNull();
  });
});

it('a circuit without an opening is closed', () => {
  expect(circuitPhase(null, 0)).toBe('closed');
});
