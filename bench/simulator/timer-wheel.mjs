import { nowUs } from '../clock.mjs';

const bucketCount = 8192;
const bucketUs = 1000;

/**
 * One timer for thousands of paced streams: a ring of one-millisecond buckets. An entry is any object with `dueUs` and
 * `fire()`. Entries further away than the ring is long stay in their bucket until their round comes.
 */
export class TimerWheel {
  #buckets = Array.from({ length: bucketCount }, () => []);
  #position = Math.floor(nowUs() / bucketUs);
  #timer = null;
  #size = 0;

  /** @param {{dueUs: number, fire(): void}} entry */
  add(entry) {
    if (this.#size === 0) this.#start();
    this.#size += 1;
    this.#place(entry);
  }

  #place(entry) {
    const bucket = Math.max(Math.ceil(entry.dueUs / bucketUs), this.#position + 1);
    this.#buckets[bucket % bucketCount].push(entry);
  }

  #start() {
    this.#position = Math.floor(nowUs() / bucketUs);
    this.#timer ??= setInterval(() => this.#turn(), 1);
  }

  #turn() {
    const present = Math.floor(nowUs() / bucketUs);
    // After a pause longer than the ring one full round reaches every bucket.
    this.#position = Math.max(this.#position, present - bucketCount);
    while (this.#position < present) {
      this.#position += 1;
      this.#fireBucket(this.#position);
    }
    if (this.#size === 0) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  #fireBucket(position) {
    const index = position % bucketCount;
    const entries = this.#buckets[index];
    if (entries.length === 0) return;
    this.#buckets[index] = [];
    const limitUs = position * bucketUs;
    for (const entry of entries) {
      if (entry.dueUs > limitUs) {
        this.#place(entry);
        continue;
      }
      this.#size -= 1;
      entry.fire();
    }
  }
}
