import type { estimateStart } from '../../src/modules/admission/estimate-start.js';
import type { unmeasured, withRun, withStart } from '../../src/modules/pools/index.js';

/** The code under judgement. */
export interface Model {
  readonly estimateStart: typeof estimateStart;
  readonly withRun: typeof withRun;
  readonly withStart: typeof withStart;
  readonly unmeasured: typeof unmeasured;
}

export interface Trace {
  readonly seed?: number;
  readonly slots?: number;
  readonly tasks?: number;
  readonly interactiveShare?: number;
  /** How well clients know what they will get: standard deviation of the logarithm of tokens made over tokens expected. */
  readonly guess?: number;
  readonly loads?: readonly number[];
  readonly capacity?: number;
}

export interface WaitedStart {
  readonly priority: 'interactive' | 'batch';
  readonly position: number;
  readonly medianMs: number;
  readonly p90Ms: number;
  readonly actualMs: number;
}

export interface Judgement {
  readonly starts: number;
  readonly insideP90: number;
  readonly beforeMedian: number;
  readonly medianError: number;
}

export function simulate(model: Model, trace?: Trace): WaitedStart[];
export function judge(told: readonly WaitedStart[]): Judgement;
