import { lognormalOf, normalDistribution, type Spread } from './normal.js';

/** A task that holds a slot. */
export interface Running {
  /** Of its whole run, ms. */
  readonly expectedMs: number;
  readonly elapsedMs: number;
}

/** What must happen before a waiting task starts. */
export interface Queue {
  readonly slots: number;
  /** What is known of the running tasks; slots beyond them run something unknown. */
  readonly running: readonly Running[];
  /** Tasks that start before this one. */
  readonly ahead: number;
  /** How long each of those holds a slot. */
  readonly aheadRun: Spread;
  /** Of any task of the pool. */
  readonly typicalRun: Spread;
  /** Squared relative error of expected runs. */
  readonly error: number;
  /** Tasks that come later and start sooner: per ms, and how long each holds a slot. */
  readonly overtaking: { readonly perMs: number; readonly runMs: number };
  /** Relative uncertainty of all that was measured. */
  readonly doubt: number;
}

/** When one slot comes free: the chance by a time, and the mean. */
interface Slot {
  readonly by: (this: void, ms: number) => number;
  readonly meanMs: number;
  /** How many slots it stands for. */
  readonly weight: number;
}

const mostSlots = 16;
const mostSteps = 64;
const farMs = 4e10;

/**
 * The time by which a waiting task has started with a given probability, by counting departures. The task starts with departure number
 * `ahead + 1`. Departures by t are, for each slot, that of the task which runs now (its residual run, given how long it has run; for an unknown
 * one the equilibrium distribution of renewal theory) and those of the tasks that follow (the renewal function, for small t the chance of
 * one, for large t t/s + (c² − 1)/2, variance c²t/s: Cox, "Renewal Theory", 1962, §4). Their number is taken as normal; for the first
 * departure the product of the slots' chances is exact. Whoever overtakes (Poisson) moves the goal away.
 *
 * @returns a function from a quantile in (0, 1), with its standard normal deviate, to milliseconds
 */
export function startQuantile(queue: Queue): (share: number, deviate: number) => number {
  const slots = slotsOf(queue);
  const chance = chanceOfFirst(slots);
  const first = (share: number): number => whenAbove(chance, share, queue.typicalRun.mean);
  if (queue.ahead === 0 && queue.overtaking.perMs === 0) return first;
  const deviates = deviateOf(queue, slots);
  const guess = queue.typicalRun.mean + (queue.ahead * queue.aheadRun.mean) / queue.slots;
  // Nobody starts before the first slot comes free, however the normal approximation has it for few departures.
  return (share, deviate) => {
    const ms = whenAbove(deviates, deviate, guess);
    return chance(ms) >= share ? ms : first(share);
  };
}

function chanceOfFirst(slots: readonly Slot[]): (ms: number) => number {
  return (ms) => 1 - slots.reduce((none, slot) => none * (1 - slot.by(ms)) ** slot.weight, 1);
}

function deviateOf(queue: Queue, slots: readonly Slot[]): (ms: number) => number {
  const { ahead, aheadRun, overtaking, doubt } = queue;
  return (ms) => {
    const overtook = overtaking.perMs * ms;
    const goal = ahead + overtook;
    const run = goal > 0 ? (ahead * aheadRun.mean + overtook * overtaking.runMs) / goal : aheadRun.mean;
    const c2 = aheadRun.variance / (aheadRun.mean * aheadRun.mean);
    const once = lognormalOf({ mean: run, variance: c2 * run * run });
    let departures = 0;
    let variance = overtook;
    for (const { by, meanMs, weight } of slots) {
      const chance = by(ms);
      const left = Math.max(0, ms - meanMs);
      departures += weight * (chance + renewals(left, run, c2, once));
      variance += weight * (chance * (1 - chance) + (c2 * left) / run);
    }
    const unsure = doubt * (goal + 1);
    return (departures - goal - 0.5) / Math.sqrt(variance + unsure * unsure + 1e-9);
  };
}

function renewals(ms: number, run: number, c2: number, { middle, width }: ReturnType<typeof lognormalOf>): number {
  if (ms <= 0) return 0;
  const later = ms / run + (c2 - 1) / 2;
  if (later >= 1) return later;
  const one = normalDistribution((Math.log(ms) - middle) / Math.max(width, 1e-3));
  return Math.max(one, later);
}

function slotsOf({ slots, running, error, typicalRun }: Queue): Slot[] {
  const known = running.slice(0, slots);
  const unknown = slots - known.length;
  const nth = Math.max(1, Math.ceil(known.length / mostSlots));
  const chosen = known.filter((_, place) => place % nth === 0);
  const all = chosen.map((task) => residual(task, error, known.length / chosen.length));
  if (unknown > 0) all.push(equilibrium(typicalRun, unknown));
  return all;
}

/** The rest of a run that is taken as lognormal around what was expected, given how long it has lasted. */
function residual({ expectedMs, elapsedMs }: Running, error: number, weight: number): Slot {
  const mean = Math.max(1, expectedMs);
  const { middle, width } = lognormalOf({ mean, variance: mean * mean * Math.max(error, 1e-4) });
  const past = Math.max(1, elapsedMs);
  const lasting = 1 - normalDistribution((Math.log(past) - middle) / width);
  // Far longer than anybody expected: nothing is known but that it is slow.
  if (lasting < 1e-4) return exponential(Math.max(mean, past) / 4, weight);
  const whole = mean * normalDistribution((middle + width * width - Math.log(past)) / width);
  return {
    by: (ms) => 1 - (1 - normalDistribution((Math.log(past + ms) - middle) / width)) / lasting,
    meanMs: Math.max(0, whole / lasting - past),
    weight,
  };
}

/** The rest of the run of a task of which nothing is known: uniform for fixed runs, exponential for exponential ones. */
function equilibrium({ mean, variance }: Spread, weight: number): Slot {
  const c2 = Math.min(1, variance / (mean * mean));
  const meanMs = (mean * (1 + c2)) / 2;
  const { by } = exponential(meanMs, weight);
  return { by: (ms) => (1 - c2) * Math.min(1, ms / (2 * meanMs)) + c2 * by(ms), meanMs, weight };
}

function exponential(meanMs: number, weight: number): Slot {
  return { by: (ms) => 1 - Math.exp(-ms / meanMs), meanMs, weight };
}

/** When a growing function reaches the goal: within a four-millionth of the time, or a millionth of the goal. Illinois method (Dowell and Jarratt 1971). */
function whenAbove(value: (ms: number) => number, goal: number, guess: number): number {
  let [low, high] = [0, Math.max(1, guess)];
  let [below, above] = [value(low) - goal, value(high) - goal];
  while (high < farMs && above < 0) {
    [low, below] = [high, above];
    high *= 2;
    above = value(high) - goal;
  }
  let side = 0;
  for (let step = 0; step < mostSteps && high - low > high * 2 ** -22; step++) {
    // Halves where the straight line leads nowhere: at a corner, or where the function is flat.
    const isStuck = step % 8 === 7 || below >= 0 || above <= 0;
    const middle = isStuck ? (low + high) / 2 : low + ((high - low) * below) / (below - above);
    const off = value(middle) - goal;
    if (Math.abs(off) < 1e-6) return middle;
    if (off < 0) {
      [low, below] = [middle, off];
      if (side < 0) above /= 2;
      side = -1;
    } else {
      [high, above] = [middle, off];
      if (side > 0) below /= 2;
      side = 1;
    }
  }
  return high;
}
