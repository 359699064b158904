import type { HealthProbe } from './health-probe.js';
import { messageOf } from '../../platform/errors/message-of.js';

/** A store that answers slower than this is as good as away for a load balancer. */
export const probeTimeoutMs = 1000;

/** null when the probe passed, else why not. Never throws and never outlives the timeout, whatever the probe does with its signal. */
export async function runProbe(probe: HealthProbe, timeoutMs = probeTimeoutMs): Promise<string | null> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<string>((resolve) => {
    timer = setTimeout(() => {
      resolve(`does not answer within ${timeoutMs} ms`);
      controller.abort();
    }, timeoutMs);
  });
  try {
    return await Promise.race([passed(probe, controller.signal), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function passed(probe: HealthProbe, signal: AbortSignal): Promise<string | null> {
  try {
    await probe.check(signal);
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

/** The first line only, without the credentials a connection string may show. */
function reasonOf(error: unknown): string {
  const message = error instanceof AggregateError && error.message === '' ? String(error.errors[0]) : messageOf(error);
  const line = message.split('\n', 1)[0]?.replaceAll(/:\/\/[^\s@/]*@/g, '://') ?? '';
  return line === '' ? 'failed without a reason' : line.slice(0, 300);
}
