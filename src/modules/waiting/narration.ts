import type { Standing } from './standing.js';

/** What a frame of a waiting task says, in a sentence. @param leftMs until its deadline; null: it has none */
export function narrationOf(standing: Standing, leftMs: number | null): string {
  if (standing.pool_ready === false) {
    const until = leftMs === null ? '' : `, until its deadline in ${inWords(leftMs)}`;
    return `Its pool is not ready, and it can't be placed in another: it waits${until}.`;
  }
  const { queue_position: ahead, predicted_start_ms: startMs, on_time_probability: chance } = standing;
  const place =
    ahead === 0 ? 'It is next in line' : `${ahead} ${ahead === 1 ? 'task starts' : 'tasks start'} before it`;
  const when = startMs === undefined ? '' : `; it should start in ${inWords(startMs)}`;
  const risk = chance !== undefined && chance < 0.5 ? ', and will probably miss its deadline' : '';
  const back = standing.pool_ready === true ? 'Its pool is ready again. ' : '';
  return `${back}${place}${when}${risk}.`;
}

/** What a task is told that was placed again. The place in its new line is told beside it. */
export function movedNarration(unreadyMs: number, reason: string): string {
  return `Its pool has not been ready for ${inWords(unreadyMs)}: it waits for another one now, chosen because ${reason}.`;
}

/** A duration as people say it. */
function inWords(ms: number): string {
  if (ms < 950) return 'less than a second';
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return seconds === 1 ? 'about a second' : `about ${seconds} seconds`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `about ${minutes} minutes` : `about ${Math.round(minutes / 60)} hours`;
}
