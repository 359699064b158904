import type { Sampling } from '../../contract/task-request.js';
import type { EngineCapabilities } from '../../engines/engine-capabilities.js';
import type { CompletionWork, EngineWork } from '../../engines/engine-adapter.port.js';

/** What the log holds of an answer that was broken off. */
export interface SoFar {
  readonly text: string;
  readonly tokens: number;
}

/** The engine that would go on, seen from the one that began. */
export interface NextEngine {
  readonly capabilities: EngineCapabilities;
  /** Whether it is known to be of the same version and to run the same model under the same profile. */
  readonly isSameOrigin: boolean;
}

/** How an answer that was broken off goes on. */
export type ContinuationPlan =
  /** Nothing is missing but the end: all tokens are there that were asked for. */
  | { readonly kind: 'finished' }
  /** What is generated from now on follows what is there. */
  | { readonly kind: 'longer-prompt'; readonly work: CompletionWork }
  /** Everything is generated again, and must begin with what is there. */
  | { readonly kind: 'repeat'; readonly prefix: string }
  /** Nothing is sound. `reason`: a clause that says why. */
  | { readonly kind: 'none'; readonly reason: string };

type Unsound = Extract<ContinuationPlan, { kind: 'none' }>;

/** Bytes that were no text: what the engine knows of them is not in the log. */
const replacementCharacter = '\u{FFFD}';

/**
 * How to go on so that the whole could have come without a loss (docs/decisions/0025). Pure. A seed asks for one certain text: only the
 * same request once more gives it, for a longer prompt leaves another state in the sampler. Where chance is free, it may go on from the text.
 */
export function planContinuation(work: EngineWork, soFar: SoFar, next: NextEngine): ContinuationPlan {
  if (work.kind !== 'completion') return none('its answer is not made of text');
  if (soFar.tokens >= work.maxTokens) return { kind: 'finished' };
  if (work.seed !== undefined) return repeat(work, soFar, next);
  const longer = longerPrompt(work, soFar, next);
  if (longer.kind !== 'none' || !isGreedy(work)) return longer;
  const again = repeat(work, soFar, next);
  return again.kind === 'none' ? longer : again;
}

function repeat(work: CompletionWork, { text }: SoFar, { capabilities, isSameOrigin }: NextEngine): ContinuationPlan {
  const input = 'prompt' in work.input ? 'prompt' : 'messages';
  if (!capabilities.features.has(`${input}+strict`)) return none('its engine promises no text twice');
  if (!isSameOrigin) return none('the engine that began it is not known to be the same as the one that would go on');
  return { kind: 'repeat', prefix: text };
}

function longerPrompt(work: CompletionWork, { text, tokens }: SoFar, { capabilities }: NextEngine): ContinuationPlan {
  const { input, sampling } = work;
  if (!('prompt' in input)) return none('a conversation is never handed over in the middle of an answer');
  const unsound: readonly (readonly [boolean, string])[] = [
    [!capabilities.continuesPrompts, 'its engine goes on from no prompt'],
    [hasForm(sampling), 'a grammar or schema begins anew in the middle'],
    [text.includes(replacementCharacter), 'its text holds bytes that are no characters'],
    [beginsStop(text, sampling?.stop ?? []), 'a stop text may have begun where it was broken off'],
    [isPenalised(sampling) && capabilities.penalisesPrompt !== true, 'its penalties would forget what was said before'],
  ];
  const problem = unsound.find(([isSo]) => isSo);
  if (problem !== undefined) return none(problem[1]);
  const longer = { ...work, input: { prompt: input.prompt + text }, maxTokens: work.maxTokens - tokens };
  return { kind: 'longer-prompt', work: longer };
}

function hasForm(sampling: Sampling | undefined): boolean {
  return sampling?.grammar !== undefined || sampling?.json_schema !== undefined;
}

function isPenalised(sampling: Sampling | undefined): boolean {
  return (sampling?.presence_penalty ?? 0) !== 0 || (sampling?.frequency_penalty ?? 0) !== 0;
}

/** Whether chance plays no part. */
function isGreedy({ sampling }: CompletionWork): boolean {
  return sampling?.temperature === 0 || sampling?.top_k === 1;
}

/** Whether the text ends in the beginning of a stop text: an engine that sees only what follows would miss the whole. */
function beginsStop(text: string, stops: readonly string[]): boolean {
  return stops.some((stop) => {
    for (let length = Math.min(stop.length - 1, text.length); length > 0; length -= 1) {
      if (text.endsWith(stop.slice(0, length))) return true;
    }
    return false;
  });
}

function none(reason: string): Unsound {
  return { kind: 'none', reason };
}
