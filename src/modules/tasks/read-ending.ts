import { endEvent, taskError, type TaskError } from '../../contract/events.js';
import type { LogChunk } from '../events/index.js';
import type { TaskEnding } from './task-record.js';

/** The result is in the log, as it was sent; nobody needs it here. */
const ending = endEvent.omit({ result: true });

/** How a task ended, read from its closed log; null when the log is still open. Throws when the terminal frame is not one of ours. */
export function readEnding(taskId: string, chunks: readonly LogChunk[], endedMs: number): TaskEnding | null {
  const last = chunks.at(-1);
  if (last?.isFinal !== true) return null;
  const frame = last.plain.toString('utf8');
  const event = /^event: (\w+)$/m.exec(frame)?.[1];
  const data: unknown = JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? 'null');
  if (event === 'end') {
    const end = ending.parse(data);
    return {
      taskId,
      state: end.finish_reason === 'canceled' ? 'canceled' : 'completed',
      endedMs,
      tokensIn: end.tokens_in,
      tokensOut: end.tokens_out,
      firstTokenMs: end.first_token_ms,
      decodeTimeMs: end.decode_time_ms,
      finishReason: end.finish_reason,
      error: null,
    };
  }
  const error = taskError.parse(data);
  return failure(taskId, { ...error, message: storable(error.message) }, countTokens(chunks), endedMs);
}

function failure(taskId: string, error: TaskError, tokensOut: number, endedMs: number): TaskEnding {
  return {
    taskId,
    state: 'failed',
    endedMs,
    tokensIn: null,
    tokensOut,
    firstTokenMs: null,
    decodeTimeMs: null,
    finishReason: null,
    error,
  };
}

/** An engine's words may be quoted in a message, and need be no Unicode text: neither Postgres nor canonical JSON would take them. */
function storable(message: string): string {
  // oxlint-disable-next-line no-control-regex
  return message.replaceAll(/\p{Surrogate}|\0/gu, '\u{fffd}');
}

function countTokens(chunks: readonly LogChunk[]): number {
  const mark = '\nevent: token\n';
  let count = 0;
  for (const { plain } of chunks)
    for (let at = plain.indexOf(mark); at >= 0; at = plain.indexOf(mark, at + mark.length)) count += 1;
  return count;
}
