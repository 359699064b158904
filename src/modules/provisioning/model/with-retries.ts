import { setTimeout as delay } from 'node:timers/promises';
import { ProvisioningError } from '../provisioning.errors.js';
import { TransientDownloadError } from './hub-client.js';

export interface RetrySettings {
  /** Attempts in a row that bring nothing new, until it fails for good. */
  readonly attempts: number;
  readonly baseMs: number;
  readonly capMs: number;
}

export interface Retrying {
  readonly what: string;
  readonly settings: RetrySettings;
  readonly signal: AbortSignal;
  /** A number that grows when an attempt brought something: then the count of attempts begins anew. */
  readonly measure?: () => Promise<number>;
}

/** Repeats `work` after TransientDownloadErrors, with exponential waits and full jitter. Throws ProvisioningError `network` in the end. */
export async function withRetries<Result>(work: () => Promise<Result>, retrying: Retrying): Promise<Result> {
  const measure = retrying.measure ?? (() => Promise.resolve(0));
  let fruitless = 0;
  for (;;) {
    const before = await measure();
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TransientDownloadError)) throw error;
      fruitless = (await measure()) > before ? 0 : fruitless + 1;
      if (fruitless >= retrying.settings.attempts) throw givenUp(retrying.what, error);
      await pause(error, fruitless, retrying);
    }
  }
}

async function pause(error: TransientDownloadError, fruitless: number, { settings, signal }: Retrying): Promise<void> {
  const jittered = Math.random() * Math.min(settings.capMs, settings.baseMs * 2 ** fruitless);
  const waitMs = error.retryAfterMs === null ? jittered : Math.min(error.retryAfterMs, settings.capMs);
  try {
    await delay(waitMs, undefined, { signal });
  } catch {
    throw new ProvisioningError('canceled', 'The download was stopped.');
  }
}

function givenUp(what: string, error: TransientDownloadError): ProvisioningError {
  return new ProvisioningError(
    'network',
    `${what} failed again and again (${error.message}). What came so far is kept and continued next time. Check the network; offline, give a path as model.ref.`,
    { cause: error },
  );
}
