import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { taskRequest } from '../../contract/task-request.js';
import { canonicalJson } from '../artifacts/index.js';
import { encodeFrame, LogChunk } from '../events/index.js';
import type { OpenTask, TaskEnding } from './task-record.js';
import { logOfTranscript, transcriptPieces } from './transcript.js';

const taskId = '5b0f2a6e-4c1d-4c9f-9a57-0d3b1f6c2e88';
const admission = { predicted_start_ms: 0, queue_position: 0 } as unknown as OpenTask['admission'];
const request = { workload: 'completion', model_ref: 'default', prompt: 'Where is the owl?', max_tokens: 8 };
const task: OpenTask = {
  taskId,
  state: 'running',
  poolId: 'default',
  priority: 'interactive',
  attempts: 1,
  correlationId: 'c',
  request: taskRequest.parse(request),
  admission,
  engine: 'llamacpp',
  createdMs: 1_700_000_000_000,
  deadlineMs: null,
  told: null,
  turn: null,
  startedMs: null,
  replicaId: null,
};
const ending: TaskEnding = {
  taskId,
  state: 'failed',
  endedMs: 1_700_000_001_000,
  tokensIn: null,
  tokensOut: 2,
  firstTokenMs: null,
  decodeTimeMs: null,
  finishReason: null,
  error: { code: 'WORKER_RESET', message: 'lost', retriable: true },
};

/** A closed log: chunks of these texts, a story for verbose readers where there is one. */
function logOf(chunks: readonly { readonly texts: readonly string[]; readonly story: string | null }[]): LogChunk[] {
  let id = 0;
  return chunks.map(({ texts, story }, place) => {
    const first = id + 1;
    const frames = texts.map((t, i) => encodeFrame((id += 1), 'token', JSON.stringify({ t, i })));
    const metrics = (human: object): string => encodeFrame(id + 1, 'metrics', JSON.stringify({ ...human }));
    const plain = Buffer.from(frames.join('') + metrics({}), 'utf8');
    const verbose = story === null ? plain : Buffer.from(frames.join('') + metrics({ human: story }), 'utf8');
    id += 1;
    return new LogChunk(taskId, { first, last: id, isFinal: place === chunks.length - 1 }, plain, verbose);
  });
}

const text = (chunks: readonly LogChunk[], how: 'plain' | 'verbose'): string =>
  Buffer.concat(chunks.map((chunk) => chunk[how])).toString('latin1');

function contentOf(chunks: readonly LogChunk[]): string {
  return [...transcriptPieces(task, ending, chunks)].join('');
}

const someText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\n\n', 'id: 9\nevent: end\ndata: {}\n\n', '\0', '\ud800', '\u2028'),
);
const someLog = fc
  .array(fc.record({ texts: fc.array(someText, { maxLength: 5 }), story: fc.option(someText) }), { minLength: 1 })
  .map(logOf);

describe('a transcript', () => {
  it('gives the same frames at the same ids as the log it was made of, plain and verbose', () => {
    fc.assert(
      fc.property(someLog, (chunks) => {
        const back = logOfTranscript(taskId, Buffer.from(contentOf(chunks), 'utf8'));
        expect(text(back, 'plain')).toBe(text(chunks, 'plain'));
        expect(text(back, 'verbose')).toBe(text(chunks, 'verbose'));
        expect(back.map(({ isFinal }) => isFinal)).toEqual(back.map((_, place) => place === back.length - 1));
        expect(back[0]?.first).toBe(chunks[0]?.first);
        expect(back.at(-1)?.last).toBe(chunks.at(-1)?.last);
      }),
    );
  });

  it('is canonical JSON', () => {
    fc.assert(
      fc.property(someLog, (chunks) => {
        const content = contentOf(chunks);
        expect(canonicalJson(JSON.parse(content))).toBe(content);
      }),
    );
  });

  it('says what was asked without the words, how it ended, and what was seen', () => {
    const chunks = logOf([{ texts: ['a', 'b'], story: 'The first token came.' }]);
    const content: unknown = JSON.parse(contentOf(chunks));
    expect(content).toMatchObject({
      task_id: taskId,
      session_id: null,
      state: 'failed',
      error: { code: 'WORKER_RESET' },
      metrics: { tokens_out: 2, finish_reason: null },
      request: { max_tokens: 8, prompt: { length: 17 } },
    });
    expect((content as { events: unknown }).events).toEqual([
      { id: 1, event: 'token', data: '{"t":"a","i":0}' },
      { id: 2, event: 'token', data: '{"t":"b","i":1}' },
      { id: 3, event: 'metrics', data: '{}', verbose: '{"human":"The first token came."}' },
    ]);
    expect(contentOf(chunks)).not.toContain('owl');
  });

  it('does not depend on when it is made, nor on how the log was cut into chunks', () => {
    const frames = [1, 2, 3].map((id) => encodeFrame(id, 'token', `{"t":"x","i":${id - 1}}`));
    const whole = [new LogChunk(taskId, { first: 1, last: 3, isFinal: true }, Buffer.from(frames.join('')))];
    const parts = frames.map(
      (frame, at) => new LogChunk(taskId, { first: at + 1, last: at + 1, isFinal: at === 2 }, Buffer.from(frame)),
    );
    const later = [...transcriptPieces({ ...task, attempts: 2 }, { ...ending, endedMs: 9 }, parts)].join('');
    expect(later).toBe(contentOf(whole));
  });

  it('keeps the gap in the ids of a log that was lost', () => {
    const lost = [
      new LogChunk(taskId, { first: 2_000_000_000, last: 2_000_000_000, isFinal: false }, Buffer.alloc(0)),
      new LogChunk(
        taskId,
        { first: 2_000_000_001, last: 2_000_000_001, isFinal: true },
        Buffer.from(encodeFrame(2_000_000_001, 'error', '{}')),
      ),
    ];
    const back = logOfTranscript(taskId, Buffer.from(contentOf(lost)));
    expect(back.map(({ first, last, isFinal }) => [first, last, isFinal])).toEqual([
      [2_000_000_001, 2_000_000_001, true],
    ]);
  });

  it('is not made of bytes that are no frames', () => {
    const odd = new LogChunk(taskId, { first: 1, last: 1, isFinal: true }, Buffer.from('data: 1\n\n'));
    expect(() => contentOf([odd])).toThrow('not a frame');
    expect(() => logOfTranscript(taskId, Buffer.from('{"a":1}'))).toThrow('not the transcript');
  });
});
