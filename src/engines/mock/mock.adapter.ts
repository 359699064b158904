import { mockConfig, type MockFault, type MockSettings } from '../../contract/mock-config.js';
import {
  nothingToHold,
  type EngineAdapter,
  type EngineEndpoint,
  type EngineRequest,
  type EngineSink,
  type EngineStream,
} from '../engine-adapter.port.js';
import { refuseUnsupported } from '../http/engine-work.js';
import { withoutStops } from '../http/without-stops.js';
import { countWords, embed, rerank } from './mock-model.js';
import { MockRun } from './mock-run.js';

const defaults: MockSettings = mockConfig.parse({});

/**
 * An engine in this very process, to try the server and its clients without a model: deterministic words at a set speed, and faults where
 * `engine.mock` of the pool asks for them. It knows no grammars.
 */
export class MockAdapter implements EngineAdapter {
  readonly engine = 'mock';
  /** Tasks that each replica was given. */
  private readonly tasks = new Map<string, number>();

  submit(endpoint: EngineEndpoint, request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream {
    const refusal = refuseUnsupported(this.engine, request, sink);
    if (refusal !== null || signal.aborted) return refusal ?? nothingToHold;
    const { work } = request;
    const settings = endpoint.mock ?? defaults;
    if (work.kind === 'completion') {
      const trimmed = withoutStops(sink, work.sampling?.stop);
      return new MockRun(
        endpoint,
        { ...settings, faults: this.faultsOfNext(endpoint, settings) },
        work,
        trimmed,
        signal,
      );
    }
    const texts = work.kind === 'embedding' ? work.inputs : [work.query, ...work.documents];
    const tokensIn = texts.reduce((sum, text) => sum + countWords(text), 0);
    const result = work.kind === 'embedding' ? embed(work) : rerank(work);
    const timer = setTimeout(
      () => sink.onEnd({ tokensIn, tokensOut: 0, finishReason: 'stop', result }),
      settings.first_token_ms,
    );
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    return nothingToHold;
  }

  countTokens(_endpoint: EngineEndpoint, _model: string | undefined, text: string): Promise<number> {
    return Promise.resolve(countWords(text));
  }

  private faultsOfNext({ poolId, replicaId }: EngineEndpoint, { faults }: MockSettings): MockFault[] {
    const key = `${poolId}/${replicaId}`;
    const number = (this.tasks.get(key) ?? 0) + 1;
    this.tasks.set(key, number);
    return faults.filter(({ every }) => number % every === 0);
  }
}
