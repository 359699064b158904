/**
 * A pool in simulated time: tasks of mixed lengths and both classes come and wait for slots; each is told when it will start, with the same
 * code and the same measurements as in the server. The same seed gives the same trace on any machine.
 */

/** mulberry32, public domain (Tommy Ettinger). */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const asked = { interactive: [16, 32, 64, 128, 256], batch: [128, 256, 512, 1024] };

/** A normal number (Box and Muller 1958). */
function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** @param guess how well clients know how much they will get: standard deviation of the logarithm of tokens made over tokens expected */
function task(random, { interactiveShare, guess }) {
  const priority = random() < interactiveShare ? 'interactive' : 'batch';
  const sizes = asked[priority];
  const askedTokens = sizes[Math.floor(random() * sizes.length)];
  const tokensOut = Math.max(1, Math.round(askedTokens * Math.exp(guess * normal(random))));
  const firstTokenMs = 120 + 160 * random();
  const tokensPerS = 35 + 10 * random();
  return { priority, askedTokens, tokensOut, firstTokenMs, runMs: firstTokenMs + (tokensOut * 1000) / tokensPerS };
}

function meanRunMs(random, mix) {
  let sum = 0;
  for (let n = 0; n < 4000; n++) sum += task(random, mix).runMs;
  return sum / 4000;
}

function insertBy(list, item, time) {
  let at = list.length;
  while (at > 0 && time(list[at - 1]) > time(item)) at -= 1;
  list.splice(at, 0, item);
}

/** The pool: who holds a slot, who waits, and what was told. */
class SimulatedPool {
  told = [];
  #model;
  #slots;
  #capacity;
  #waiting = { interactive: [], batch: [] };
  #running = [];
  #perf;

  constructor(model, { slots, capacity }) {
    this.#model = model;
    this.#slots = slots;
    this.#capacity = capacity;
    this.#perf = model.unmeasured;
  }

  /** When the next running task ends; never while none runs. */
  get nextEndMs() {
    return this.#running[0]?.endsMs ?? Number.POSITIVE_INFINITY;
  }

  arrive(entry, now) {
    const { interactive, batch } = this.#waiting;
    if (this.#running.length < this.#slots) this.#begin(entry, now);
    else if (interactive.length + batch.length < this.#capacity) {
      const before = entry.priority === 'batch' ? [...interactive, ...batch] : interactive;
      const told = this.#predict(entry.priority, before, now);
      this.#waiting[entry.priority].push({ ...entry, cameMs: now, position: before.length, told });
    }
  }

  /** Ends the running task whose time has come, and lets the next one begin. */
  end() {
    const entry = this.#running.shift();
    this.#perf = this.#model.withRun(this.#perf, entry);
    const next = this.#waiting.interactive.shift() ?? this.#waiting.batch.shift();
    if (next !== undefined) this.#begin(next, entry.endsMs);
  }

  #predict(priority, before, nowMs) {
    return this.#model.estimateStart({
      priority,
      position: before.length,
      slots: this.#slots,
      freeSlots: 0,
      tokensAhead: before.reduce((sum, { askedTokens }) => sum + askedTokens, 0),
      running: this.#running.map(({ askedTokens, startedMs }) => ({ expectedTokens: askedTokens, startedMs })),
      perf: this.#perf,
      hintMs: 1000,
      batchShare: 0,
      nowMs,
    });
  }

  #begin(entry, now) {
    const { priority, position, told } = entry;
    const isPredicted = told?.model !== undefined && told.model !== null;
    const actualMs = now - entry.cameMs;
    const wait = isPredicted ? { actualMs, modelMs: told.model.ms, spread: told.model.spread } : null;
    this.#perf = this.#model.withStart(this.#perf, { priority, atMs: now, wait });
    if (isPredicted) this.told.push({ priority, position, actualMs, ...told });
    insertBy(this.#running, { ...entry, startedMs: now, endsMs: now + entry.runMs }, ({ endsMs }) => endsMs);
  }
}

/** The loads follow each other in phases of equal length. @returns the starts of tasks that waited, in order */
export function simulate(
  model,
  {
    seed = 1,
    slots = 4,
    tasks = 4000,
    interactiveShare = 0.7,
    guess = 0.25,
    loads = [0.8, 1.2, 1, 0.9, 1.1],
    capacity = 128,
  } = {},
) {
  const mix = { interactiveShare, guess };
  const random = generator(seed);
  const spacing = meanRunMs(generator(seed + 1), mix) / slots;
  const pool = new SimulatedPool(model, { slots, capacity });
  for (let count = 0, now = 0; count < tasks; count++) {
    while (pool.nextEndMs <= now) pool.end();
    pool.arrive(task(random, mix), now);
    const load = loads[Math.floor((count * loads.length) / tasks)];
    now += (-Math.log(1 - random()) * spacing) / load;
  }
  return pool.told;
}

/** How good the predictions were. */
export function judge(told) {
  const errors = told
    .map(({ medianMs, actualMs }) => Math.abs(actualMs - medianMs) / Math.max(1, actualMs))
    .toSorted((a, b) => a - b);
  const share = (count) => (told.length === 0 ? 0 : count / told.length);
  return {
    starts: told.length,
    insideP90: share(told.filter(({ actualMs, p90Ms }) => actualMs <= p90Ms).length),
    beforeMedian: share(told.filter(({ actualMs, medianMs }) => actualMs <= medianMs).length),
    medianError: errors[Math.floor(errors.length / 2)] ?? 0,
  };
}
