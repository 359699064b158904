import type { TaskState } from '../../contract/task-response.js';

/** States in which a task still owes its reader a terminal event. */
export const openStates = ['queued', 'running'] as const satisfies readonly TaskState[];

/** Whether the task has reached its end: nothing changes it any more. */
export function isFinal(state: TaskState): boolean {
  return state === 'completed' || state === 'failed' || state === 'canceled';
}

const successors: Readonly<Record<TaskState, readonly TaskState[]>> = {
  queued: ['running', 'completed', 'failed', 'canceled'],
  // Back to queued: its worker died before the first token.
  running: ['queued', 'completed', 'failed', 'canceled'],
  completed: [],
  failed: [],
  canceled: [],
};

/** Whether a task may go from one state to another. */
export function mayBecome(from: TaskState, to: TaskState): boolean {
  return successors[from].includes(to);
}
