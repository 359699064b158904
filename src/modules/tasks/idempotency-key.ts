import { idempotencyKey } from '../../contract/task-request.js';
import { invalidParams } from '../../platform/errors/app-error.js';
import { uuidOfName } from '../../platform/ids/uuid.js';

/** Namespace of the task ids that are derived from keys. Never change it: repeats across a release would run twice. */
const namespace = '6f1b41f5-7a02-4c1e-9d55-0f6b4f0c8a3e';

/**
 * The task id that a caller's `Idempotency-Key` stands for: derived, so that every process knows it without asking anybody, and the rules
 * for a repeated `task_id` are all it takes. Null when the header is not there.
 * @param caller who asks, in full: two tokens never share a key
 */
export function taskIdOfKey(header: string | string[] | undefined, caller: string): string | null {
  if (header === undefined) return null;
  const parsed = idempotencyKey.safeParse(header);
  if (!parsed.success) {
    const problem = 'must be 1 to 255 visible ASCII characters without spaces, given once';
    throw invalidParams([{ field: 'header.Idempotency-Key', problem }]);
  }
  return uuidOfName(namespace, `${caller}\n${parsed.data}`);
}
