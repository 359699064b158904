/**
 * Attempts of a task have numbers: fence, lease and row tell them apart by these, so no two may have the same. The run record counts them.
 * Where Redis lost it, nobody knows how many had begun that the row was not told of, and one of them may still run: those that follow are
 * counted on from a multiple of `perLog` that grows with the task's age, over one loss after the other. What is left of a number without
 * it is how often the task was begun, for all that is known.
 */
const perLog = 1000;
/** The row keeps 32 bits. */
const mostLogs = 2_147_482;

/** How often a task was begun whose newest attempt has this number. */
export function begunBy(attempt: number): number {
  return attempt % perLog;
}

/**
 * The number that the attempts of a task follow whose log is opened anew.
 * @param known the newest attempt that its row knows of; 0: none
 * @param ageMs time since the task was accepted
 */
export function attemptsAfterLoss(known: number, ageMs: number): number {
  const byAge = Math.floor(Math.max(0, ageMs) / 1000) + 1;
  const logs = Math.min(mostLogs, Math.max(byAge, Math.floor(known / perLog) + 1));
  return Math.max(known, logs * perLog + begunBy(known));
}
