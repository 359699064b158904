let tasks: (() => void)[] = [];

/**
 * Runs a task when this turn of the event loop is over. What tasks themselves leave for the turn's end runs in the same go, behind all others:
 * who gathers calls sends them there, and what their connection gathers of that goes out at once, not at the end of the next turn.
 */
export function atTurnsEnd(task: () => void): void {
  if (tasks.length === 0) setImmediate(runAll);
  tasks.push(task);
}

function runAll(): void {
  let done = 0;
  try {
    for (const task of tasks) {
      done += 1;
      task();
    }
  } finally {
    // Nothing is left, unless a task has thrown: the fault is its own, the others still run.
    tasks = tasks.slice(done);
    if (tasks.length > 0) setImmediate(runAll);
  }
}
