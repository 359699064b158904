import { z } from 'zod';

/** What is asked of an engine. */
export const workload = z.enum(['completion', 'embedding', 'rerank']).meta({
  id: 'Workload',
  description:
    '`completion` goes on from a `prompt` or `messages`, token by token; `embedding` makes a vector of each of the `inputs`; ' +
    '`rerank` scores the `documents` by how well they answer the `query`. The last two end in `end.result`, without tokens.',
});
export type Workload = z.infer<typeof workload>;

/** More texts than this in one task would keep a slot from all others for minutes: send several tasks. */
export const mostTexts = 2048;
const mostMessages = 4096;

/** One turn of a conversation. */
export const chatMessage = z
  .strictObject({
    role: z.enum(['system', 'user', 'assistant', 'tool']),
    content: z.string().describe('What was said. Empty only of an assistant or a tool.'),
  })
  .refine(({ role, content }) => content !== '' || role === 'assistant' || role === 'tool', {
    path: ['content'],
    message: 'must not be empty',
  })
  .meta({ id: 'ChatMessage' });
export type ChatMessage = z.infer<typeof chatMessage>;

const texts = z.array(z.string().min(1)).min(1).max(mostTexts);

/** What a task works on. Which of them a task takes depends on its workload: see `inputProblems`. */
export const taskInput = {
  prompt: z.string().min(1).optional().describe('completion: the text to go on from, sent to the model as it is.'),
  messages: z
    .array(chatMessage)
    .min(1)
    .max(mostMessages)
    .optional()
    .describe("completion: a conversation, put into the model's own chat form by the engine."),
  inputs: texts.optional().describe('embedding: the texts, each of which becomes one vector.'),
  query: z.string().min(1).optional().describe('rerank: what is asked.'),
  documents: texts.optional().describe('rerank: the texts that may answer it.'),
};

type InputField = keyof typeof taskInput;

/** The fields that say how text is made, of no use to work that makes none. */
const ofCompletion = ['max_tokens', 'expected_tokens', 'seed', 'sampling', 'sampler_profile_version'] as const;

interface Problem {
  readonly field: string;
  readonly problem: string;
}

/** A request by its fields, whatever they hold. */
type Fields = Readonly<Record<string, unknown>>;

const inputsOf: Readonly<Record<Workload, readonly InputField[]>> = {
  completion: ['prompt', 'messages'],
  embedding: ['inputs'],
  rerank: ['query', 'documents'],
};

/** What contradicts the workload of a request, field by field: what is missing, what belongs to another workload. */
export function inputProblems(request: Fields): Problem[] {
  const asked = workload.safeParse(request['workload']);
  if (!asked.success) return [];
  const has = (field: string): boolean => request[field] !== undefined;
  const missing = asked.data === 'completion' ? missingOfCompletion(has) : inputsOf[asked.data].filter((f) => !has(f));
  return [
    ...missing.map((field) => ({ field, problem: 'is required' })),
    ...foreignInputs(asked.data).filter(({ field }) => has(field)),
    ...(asked.data === 'completion' ? completionProblems(request) : makesNoText(asked.data, request)),
  ];
}

function missingOfCompletion(has: (field: string) => boolean): string[] {
  return [...(has('prompt') || has('messages') ? [] : ['prompt']), ...(has('max_tokens') ? [] : ['max_tokens'])];
}

function foreignInputs(kind: Workload): Problem[] {
  const own = inputsOf[kind];
  const takes = own.join(kind === 'completion' ? ' or ' : ' and ');
  const all = Object.keys(taskInput) as InputField[];
  return all
    .filter((field) => !own.includes(field))
    .map((field) => ({ field, problem: `is not for ${kind}, which takes ${takes}` }));
}

function completionProblems(request: Fields): Problem[] {
  const isTwofold = request['prompt'] !== undefined && request['messages'] !== undefined;
  const isUnseeded = request['determinism'] === 'strict' && request['seed'] === undefined;
  return [
    ...(isTwofold ? [{ field: 'messages', problem: 'give either prompt or messages, not both' }] : []),
    ...(isUnseeded ? [{ field: 'seed', problem: 'is required with determinism "strict"' }] : []),
  ];
}

function makesNoText(kind: Workload, request: Fields): Problem[] {
  const problem = `is only for completion: ${kind} makes no text`;
  const isStrict = request['determinism'] === 'strict';
  return [...ofCompletion.filter((field) => request[field] !== undefined), ...(isStrict ? ['determinism'] : [])].map(
    (field) => ({ field, problem }),
  );
}

/** The same rules in JSON Schema, for who checks a body before sending it. */
export const inputSchema = {
  allOf: workload.options.map((kind) => where('workload', kind, thenSchema(kind))),
};

function thenSchema(kind: Workload): Record<string, unknown> {
  const barred = Object.fromEntries(foreignInputs(kind).map(({ field }) => [field, false]));
  if (kind === 'completion') {
    return {
      required: ['max_tokens'],
      properties: barred,
      oneOf: inputsOf[kind].map((field) => ({ required: [field] })),
      ...where('determinism', 'strict', { required: ['seed'] }),
    };
  }
  const textless = Object.fromEntries(ofCompletion.map((field) => [field, false]));
  const determinism = { not: { const: 'strict' } };
  return { required: [...inputsOf[kind]], properties: { ...barred, ...textless, determinism } };
}

/** What must hold where a field has a value. */
function where(field: string, value: string, consequence: Record<string, unknown>): Record<string, unknown> {
  const condition = { properties: { [field]: { const: value } }, required: [field] };
  // oxlint-disable-next-line unicorn/no-thenable -- JSON Schema's own word
  return { if: condition, then: consequence };
}
