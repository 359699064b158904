import type { EngineId } from '../../contract/common.js';
import { Secret } from '../../platform/config/secret.js';
import {
  EngineError,
  type EngineAdapter,
  type EngineAdapters,
  type EngineEndpoint,
  type EngineMetrics,
  type EngineRequest,
  type EngineUsage,
} from '../engine-adapter.port.js';
import { messageOf } from '../../platform/errors/message-of.js';

/** What an adapter can be asked beside its work. */
export const questions = ['countTokens', 'evictSession', 'metrics'] as const satisfies readonly (keyof EngineAdapter)[];
export type Question = (typeof questions)[number];

/** An endpoint as it crosses: a Secret doesn't. */
export type SentEndpoint = Omit<EngineEndpoint, 'apiKey'> & { readonly key: string | undefined };

/** What an adapter is asked: the name of a method, and its arguments between endpoint and signal. */
export type Asked =
  | { readonly question: 'countTokens'; readonly about: readonly [model: string | undefined, text: string] }
  | { readonly question: 'evictSession'; readonly about: readonly [sessionId: string] }
  | { readonly question: 'metrics'; readonly about: readonly [] };

/** What the process tells the thread. `id` names a run or a question; the process numbers them. */
export type ToThread =
  | {
      readonly kind: 'submit';
      readonly id: number;
      readonly engine: EngineId;
      readonly endpoint: SentEndpoint;
      readonly request: EngineRequest;
    }
  | {
      readonly kind: 'ask';
      readonly id: number;
      readonly engine: EngineId;
      readonly endpoint: SentEndpoint;
      readonly asked: Asked;
    }
  | { readonly kind: 'abort' | 'pause' | 'resume'; readonly id: number }
  /** The batches that were under way are taken: the thread, which waits for it, posts on. */
  | { readonly kind: 'go on' }
  | { readonly kind: 'close' };

/** The first thing the thread tells: its engines, and what each can be asked. */
export interface Hello {
  readonly engines: readonly { readonly engine: EngineId; readonly can: readonly Question[] }[];
}

/** What can be told of a run or a question but a token's text, which goes as a bare string. */
export type Told =
  | { readonly kind: 'prompt'; readonly tokensIn: number }
  | { readonly kind: 'end'; readonly usage: EngineUsage }
  | { readonly kind: 'error'; readonly error: SentError }
  | { readonly kind: 'answer'; readonly answer: number | boolean | EngineMetrics };

/** What a turn of the thread brought: by turns an id, and what is told of it. Flat, since a token is then two small values and no object. */
export type Batch = (number | string | Told)[];

/** An error as it crosses; its cause stays behind. `code` null: no EngineError. */
export interface SentError {
  readonly code: EngineError['code'] | null;
  readonly message: string;
  readonly afterFirstByte: boolean;
  readonly isAway: boolean;
  readonly wasSent: boolean;
}

export function sentEndpoint({ apiKey, ...rest }: EngineEndpoint): SentEndpoint {
  return { ...rest, key: apiKey?.reveal() };
}

export function endpointOf({ key, ...rest }: SentEndpoint): EngineEndpoint {
  return key === undefined ? rest : { ...rest, apiKey: new Secret(key) };
}

export function sentError(error: unknown): SentError {
  if (error instanceof EngineError) {
    const { code, message, afterFirstByte, isAway, wasSent } = error;
    return { code, message, afterFirstByte, isAway, wasSent };
  }
  const message = messageOf(error);
  return { code: null, message, afterFirstByte: false, isAway: false, wasSent: true };
}

export function errorOf({ code, message, ...rest }: SentError): Error {
  return code === null ? new Error(message) : new EngineError(code, message, rest);
}

export function helloOf(adapters: EngineAdapters): Hello {
  const engines = [...adapters.values()].map((adapter) => ({
    engine: adapter.engine,
    can: questions.filter((question) => adapter[question] !== undefined),
  }));
  return { engines };
}
