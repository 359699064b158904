import type { EngineWork } from '../../engines/engine-adapter.port.js';

/** Tokens that engines put around a text: begin, end, a leading space, what parts a query from its document. */
const frameTokens = 4;

/**
 * Tokens that a chat template writes itself: around each message, and once for a preamble. Templates differ; those of the models in use
 * stay far below.
 */
const messageTokens = 16;
const preambleTokens = 128;

const bytesPerToken = 4;

/**
 * No vocabulary makes more tokens of a text than it has bytes, and an engine refuses what is longer than its context. Whoever guesses less
 * overspends: how many there are is known once the engine has read the input. @param ctxMax tokens; null while unknown
 */
export function inputTokensAtMost(work: EngineWork, ctxMax: number | null): number {
  const most = ctxMax ?? Number.POSITIVE_INFINITY;
  return sequencesOf(work).reduce((sum, { bytes, extra }) => sum + Math.min(bytes + extra, most), 0);
}

/** The usual rule of thumb for English, four bytes a token: needs no tokenizer, and every client can work it out. */
export function inputTokensAbout(work: EngineWork): number {
  return Math.ceil(sequencesOf(work).reduce((sum, { bytes }) => sum + bytes, 0) / bytesPerToken);
}

/** What an engine reads in one go. */
interface Sequence {
  /** Of the client's own text, in UTF-8. */
  readonly bytes: number;
  /** Tokens that may be put around it, at the most. */
  readonly extra: number;
}

function sequencesOf(work: EngineWork): Sequence[] {
  switch (work.kind) {
    case 'completion':
      return [completionOf(work.input)];
    case 'embedding':
      return work.inputs.map((text) => ({ bytes: bytesOf(text), extra: frameTokens }));
    case 'rerank': {
      // A reranker reads the query with each document.
      const query = bytesOf(work.query);
      return work.documents.map((text) => ({ bytes: query + bytesOf(text), extra: 2 * frameTokens }));
    }
  }
}

function completionOf(input: Extract<EngineWork, { kind: 'completion' }>['input']): Sequence {
  if ('prompt' in input) return { bytes: bytesOf(input.prompt), extra: frameTokens };
  const bytes = input.messages.reduce((sum, { content }) => sum + bytesOf(content), 0);
  return { bytes, extra: preambleTokens + messageTokens * input.messages.length };
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
