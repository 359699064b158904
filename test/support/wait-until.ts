import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 15;

/**
 * Resolves with the first value of `look` that is neither null, undefined nor false. Rejects with the last thing seen once the time is up:
 * for conditions nobody tells us of.
 * @param what completes the sentence «waited for …»
 */
export async function waitUntil<Value>(
  what: string,
  look: () => Value | Promise<Value>,
  withinMs = 40_000,
): Promise<Exclude<Value, null | undefined | false>> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    let problem = '';
    try {
      const value = await look();
      if (value !== null && value !== undefined && value !== false) {
        return value as Exclude<Value, null | undefined | false>;
      }
    } catch (error) {
      problem = ` (${error instanceof Error ? error.message : String(error)})`;
    }
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms for ${what}${problem}`);
    await delay(pollMs);
  }
}

/** Rejects when a promise takes longer than `withinMs`. */
export async function within<Value>(what: string, promise: Promise<Value>, withinMs = 40_000): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${withinMs} ms for ${what}`)), withinMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
