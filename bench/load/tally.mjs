/** A list of numbers that grows without boxing them; a run holds a million ages. */
class Samples {
  #values = new Float64Array(1024);
  #size = 0;

  push(value) {
    if (this.#size === this.#values.length) {
      const wider = new Float64Array(this.#size * 2);
      wider.set(this.#values);
      this.#values = wider;
    }
    this.#values[this.#size] = value;
    this.#size += 1;
  }

  summary() {
    if (this.#size === 0) return null;
    const sorted = this.#values.slice(0, this.#size).sort();
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted[sorted.length - 1] };
  }
}

/** What one load run saw. Times are milliseconds; only what falls inside the measuring window is sampled. */
export class Tally {
  isMeasuring = false;
  windowTokens = 0;
  windowRequests = 0;
  late = 0;
  ended = 0;
  gaps = 0;
  statuses = {};
  failed = 0;
  failures = {};
  ttftMs = new Samples();
  ageMs = new Samples();
  doneMs = new Samples();

  countStatus(status) {
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
  }

  countFailure(reason) {
    this.failed += 1;
    this.#remember(reason);
  }

  /** Refusals are counted by their status; only the reason is kept here. */
  countRefusal(reason) {
    this.#remember(reason);
  }

  #remember(reason) {
    const short = reason.slice(0, 160);
    this.failures[short] = (this.failures[short] ?? 0) + 1;
  }

  report() {
    const refused = Object.entries(this.statuses).reduce((sum, [status, n]) => sum + (status < '300' ? 0 : n), 0);
    const { windowTokens, windowRequests, late, failed, ended, gaps, statuses, failures } = this;
    const samples = { ttftMs: this.ttftMs.summary(), ageMs: this.ageMs.summary(), doneMs: this.doneMs.summary() };
    return { windowTokens, windowRequests, refused, late, failed, ended, gaps, statuses, failures, ...samples };
  }
}
