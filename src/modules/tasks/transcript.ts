import { canonicalJson } from '../artifacts/index.js';
import { encodeFrame, LogChunk, type EventName } from '../events/index.js';
import { redactRequest } from './redact-request.js';
import type { OpenTask, TaskEnding } from './task-record.js';

/** One event of a transcript: `data` is the JSON text of its frame, so that the frame can be made again byte for byte. */
export interface TranscriptEvent {
  readonly id: number;
  readonly event: EventName;
  readonly data: string;
  /** For verbose readers, where it differs. */
  readonly verbose?: string;
}

/**
 * The content of a task's transcript as canonical JSON (RFC 8785), in pieces: what was asked with the client's words redacted, how it ended,
 * and every event. It depends on nothing but the accepted task and its closed log: made again, it is the same artifact.
 */
export function* transcriptPieces(task: OpenTask, ending: TaskEnding, chunks: readonly LogChunk[]): Generator<string> {
  const { taskId, poolId, engine, createdMs, priority, request } = task;
  const { state, tokensIn, tokensOut, firstTokenMs, decodeTimeMs, finishReason, error } = ending;
  // `events` stands between `error` and `metrics` in the canonical order.
  const before = canonicalJson({ created_ms: createdMs, engine, error });
  const after = canonicalJson({
    metrics: {
      tokens_in: tokensIn,
      tokens_out: tokensOut,
      first_token_ms: firstTokenMs,
      decode_time_ms: decodeTimeMs,
      finish_reason: finishReason,
    },
    model_ref: request.model_ref,
    pool_id: poolId,
    priority,
    request: redactRequest(request),
    session_id: request.session_id ?? null,
    state,
    task_id: taskId,
    workload: request.workload,
  });
  yield `${before.slice(0, -1)},"events":[`;
  let separator = '';
  for (const chunk of chunks) {
    for (const event of eventsOf(chunk)) {
      yield separator + canonicalEvent(event);
      separator = ',';
    }
  }
  yield `],${after.slice(1)}`;
}

/** Events of one chunk of a log that was read back from a transcript. */
const eventsPerChunk = 256;

/** The log that a transcript was made of, with the same frames at the same ids. Throws for what is no transcript of ours. */
export function logOfTranscript(taskId: string, content: Buffer): LogChunk[] {
  const { events } = JSON.parse(content.toString('utf8')) as { events?: unknown };
  if (!Array.isArray(events)) throw new Error('not the transcript of a task');
  const all = events as TranscriptEvent[];
  const chunks: LogChunk[] = [];
  for (let from = 0; from < all.length;) {
    const to = endOfRun(all, from);
    chunks.push(chunkOf(taskId, all.slice(from, to), to === all.length));
    from = to;
  }
  return chunks;
}

/** Where a chunk that begins at `from` ends: its ids grow by one, for readers count frames to find theirs. */
function endOfRun(events: readonly TranscriptEvent[], from: number): number {
  let to = from + 1;
  while (to < events.length && to - from < eventsPerChunk && events[to]?.id === (events[to - 1]?.id ?? 0) + 1) to += 1;
  return to;
}

function chunkOf(taskId: string, events: readonly TranscriptEvent[], isFinal: boolean): LogChunk {
  const bytesOf = (textOf: (event: TranscriptEvent) => string): Buffer =>
    Buffer.from(events.map((event) => encodeFrame(event.id, event.event, textOf(event))).join(''), 'utf8');
  const plain = bytesOf(({ data }) => data);
  const isTold = events.some(({ verbose }) => verbose !== undefined);
  const span = { first: events[0]?.id ?? 0, last: events.at(-1)?.id ?? 0, isFinal };
  return new LogChunk(taskId, span, plain, isTold ? bytesOf(({ verbose, data }) => verbose ?? data) : plain);
}

/** The same as `canonicalJson(event)`, without looking for what is known: the order of the keys, and that every text is well-formed. */
function canonicalEvent({ id, event, data, verbose }: TranscriptEvent): string {
  const told = verbose === undefined ? '' : `,"verbose":${JSON.stringify(verbose)}`;
  return `{"data":${JSON.stringify(data)},"event":"${event}","id":${id}${told}}`;
}

function* eventsOf(chunk: LogChunk): Generator<TranscriptEvent> {
  const verbose = chunk.verbose === chunk.plain ? null : framesOf(chunk.verbose);
  for (const frame of framesOf(chunk.plain)) {
    const told: TranscriptEvent | undefined = verbose?.next().value;
    if (verbose !== null && told?.id !== frame.id) throw new Error('plain and verbose frames of a chunk differ in ids');
    yield told === undefined || told.data === frame.data ? frame : { ...frame, verbose: told.data };
  }
}

/** Takes frames apart; the inverse of `encodeFrame`. Throws for bytes it did not write. */
function* framesOf(bytes: Buffer): Generator<TranscriptEvent, undefined> {
  const text = bytes.toString('utf8');
  for (let at = 0; at < text.length;) {
    const eventAt = text.indexOf('\nevent: ', at);
    const dataAt = text.indexOf('\ndata: ', eventAt);
    const end = text.indexOf('\n\n', dataAt);
    if (!text.startsWith('id: ', at) || eventAt < 0 || dataAt < 0 || end < 0) throw new Error('not a frame of ours');
    const id = Number(text.slice(at + 'id: '.length, eventAt));
    const event = text.slice(eventAt + '\nevent: '.length, dataAt) as EventName;
    yield { id, event, data: text.slice(dataAt + '\ndata: '.length, end) };
    at = end + 2;
  }
  return undefined;
}
