export { childEnvironment, type Environment } from './child-environment.js';
export { ensureEngine, type EnsureEngineOptions, type PreparedEngine } from './engine-package/ensure-engine.js';
export {
  discoverMachine,
  type LlamaServerFacts,
  type MachineFacts,
  type NvidiaFacts,
} from './engine-package/machine-facts.js';
export type { EnginePlatform } from './engine-package/node-llama-cpp-package.js';
export { planEngine, planText, type EnginePlan, type EngineWish, type GpuKind } from './engine-package/plan-engine.js';
export { EnsureModel, type ModelRequest, type ModelSettings, type PresentModel } from './model/ensure-model.js';
export { readGgufHeader, type GgufHeader } from './model/gguf-header.js';
export { cacheTypesIn, kvBytesPerToken } from './model/kv-shape.js';
export type { HttpTimeouts, HubSettings } from './model/hub-client.js';
export type { RetrySettings } from './model/with-retries.js';
export { bytesText, progressText, type Progress, type ProgressListener } from './progress.js';
export { ProvisioningError, type ProvisioningProblem } from './provisioning.errors.js';
