import type { EngineAdapter, EngineAdapters } from '../../engines/engine-adapter.port.js';
import { EngineAgent } from '../../engines/http/lean/lean-agent.js';
import { LlamacppAdapter } from '../../engines/llamacpp/llamacpp.adapter.js';
import { MockAdapter } from '../../engines/mock/mock.adapter.js';
import { OpenAiAdapter } from '../../engines/openai/openai.adapter.js';
import { TgiAdapter } from '../../engines/tgi/tgi.adapter.js';
import { TritonAdapter } from '../../engines/triton/triton.adapter.js';
import { VllmAdapter } from '../../engines/vllm/vllm.adapter.js';

/** The adapters of this build, by engine. */
export function createAdapters(): { readonly adapters: EngineAdapters; readonly close: () => Promise<void> } {
  const agent = new EngineAgent();
  const triton = new TritonAdapter(agent);
  const all: EngineAdapter[] = [
    new LlamacppAdapter(agent),
    new VllmAdapter(agent),
    new TgiAdapter(agent),
    triton,
    new OpenAiAdapter(agent),
    new MockAdapter(),
  ];
  const close = async (): Promise<void> => {
    triton.close();
    await agent.destroy();
  };
  return { adapters: new Map(all.map((adapter) => [adapter.engine, adapter])), close };
}
