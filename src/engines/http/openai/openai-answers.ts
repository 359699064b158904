import { z } from 'zod';
import type { EmbeddingWork, EngineUsage, RerankWork } from '../../engine-adapter.port.js';
import { parseAnswer, unreadable } from '../json-request.js';

const usage = z.object({ prompt_tokens: z.number().optional(), total_tokens: z.number().optional() }).nullish();

/** Answer of `POST /v1/embeddings`: https://platform.openai.com/docs/api-reference/embeddings/create */
const embeddingsAnswer = z.object({
  data: z.array(z.object({ index: z.int(), embedding: z.array(z.number()) })),
  usage,
});

/** Answer of `POST /v1/rerank` as Jina made it the custom: https://jina.ai/reranker/ */
const rerankAnswer = z.object({
  results: z.array(z.object({ index: z.int(), relevance_score: z.number() })),
  usage,
});

export function embeddingsBody(model: string | undefined, { inputs }: EmbeddingWork): string {
  return JSON.stringify({ model, input: inputs, encoding_format: 'float' });
}

export function rerankBody(model: string | undefined, { query, documents }: RerankWork): string {
  return JSON.stringify({ model, query, documents, top_n: documents.length });
}

/** The vectors in the order of the inputs. Throws EngineError when one is missing, empty, or of another length than the others. */
export function readEmbeddings(text: string, { inputs }: EmbeddingWork): EngineUsage {
  const answer = embeddingsAnswer.safeParse(parseAnswer(text));
  if (!answer.success) throw unreadable('no embeddings');
  const embeddings = inOrder(
    answer.data.data.map(({ index, embedding }) => [index, embedding]),
    inputs.length,
    'vector',
  );
  const length = embeddings[0]?.length ?? 0;
  if (embeddings.some((vector) => vector.length !== length || length === 0))
    throw unreadable('vectors of different lengths, or of none');
  return { ...spent(answer.data.usage), result: { embeddings } };
}

/** The scores, best first. Throws EngineError when a document has none. */
export function readScores(text: string, { documents }: RerankWork): EngineUsage {
  const answer = rerankAnswer.safeParse(parseAnswer(text));
  if (!answer.success) throw unreadable('no scores');
  const scores = inOrder(
    answer.data.results.map(({ index, relevance_score: score }) => [index, { index, score }]),
    documents.length,
    'score',
  );
  return { ...spent(answer.data.usage), result: { scores: scores.toSorted((a, b) => b.score - a.score) } };
}

function inOrder<Item>(items: readonly (readonly [number, Item])[], count: number, what: string): Item[] {
  const byIndex = new Map(items);
  return Array.from({ length: count }, (_, index) => {
    const item = byIndex.get(index);
    if (item === undefined) throw unreadable(`no ${what} for number ${index} of ${count}`);
    return item;
  });
}

function spent(told: z.infer<typeof usage>): EngineUsage {
  return { tokensIn: told?.prompt_tokens ?? told?.total_tokens ?? 0, tokensOut: 0, finishReason: 'stop' };
}
