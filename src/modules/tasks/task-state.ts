import type { TaskState } from '../../contract/task-response.js';

/** Whether the task has reached its end: nothing changes it any more. */
export function isFinal(state: TaskState): boolean {
  return state === 'completed' || state === 'failed' || state === 'canceled';
}
