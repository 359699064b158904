import { mkdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { claimOwnership } from '../../platform/processes/owner-lock.js';
import { messageOf } from '../../platform/errors/message-of.js';

const askAgainMs = 1000;

/**
 * One process alone runs a pool of a runtime directory and speaks of it: two would start two engines, and contradict each other before all others.
 * Waits while a live process has the pool, without limit, and says so once. Never rejects: a disk that takes no lock will refuse what comes
 * next, too, and that is told as the pool's failure.
 *
 * @returns the way to give the pool back; null when `signal` came first
 */
export async function takePool(
  directory: string,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<(() => Promise<void>) | null> {
  let isTold = false;
  try {
    await mkdir(directory, { recursive: true });
    while (!signal.aborted) {
      const claim = await claimOwnership(directory);
      if (claim.kind === 'owner') return () => claim.release().catch(() => undefined);
      if (!isTold) say(heldBy(claim.by.pid));
      isTold = true;
      await delay(askAgainMs, undefined, { signal }).catch(() => undefined);
    }
    return null;
  } catch (error) {
    say(`nobody can tell whether another process runs this pool: ${messageOf(error)}`);
    return async () => undefined;
  }
}

function heldBy(pid: number): string {
  return `process ${pid} runs this pool already, in the same data directory: its engine is used, and started anew when that process ends`;
}
