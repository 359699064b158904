import { ProvisioningError } from '../provisioning.errors.js';
import { TransientDownloadError, type Answer } from './hub-client.js';

/** What an HTTP status that brings no file means for a download. */
export function refusalOf(answer: Pick<Answer, 'statusCode' | 'headers'>, host: string): Error {
  const status = answer.statusCode;
  if (status === 401 || status === 403)
    return new ProvisioningError(
      'unauthorised',
      `${host} refuses this file (${status}). Set HF_TOKEN to a token that may read it, and accept the model's terms on its page; the name may also be wrong.`,
    );
  if (status === 404 || status === 410)
    return new ProvisioningError(
      'not-found',
      `${host} has no such file (${status}). Check repository, file name and revision in model.ref.`,
    );
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    return new TransientDownloadError(`${host} answered ${status}`, retryAfterMs(answer.headers['retry-after']));
  return new ProvisioningError('network', `${host} answered ${status}, which is no file.`);
}

/** `Retry-After` in seconds or as a date; milliseconds from now, null when absent or unreadable. */
export function retryAfterMs(header: string | undefined, nowMs: number = Date.now()): number | null {
  if (header === undefined) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}
