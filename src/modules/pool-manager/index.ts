export type { EngineHostProgram } from './engine-command.js';
export { defaultPatience, packagePools } from './package-pools.js';
export { PoolManager } from './pool-manager.js';
export type { PackagePool, Patience, PoolCollaborators, PoolManagerSettings } from './pool-settings.js';
export type { PoolState } from './pool-state.js';
export type { PoolEvents, PoolProgress } from './pool-telemetry.js';
export type { ReplicaAnnouncement, ReplicaAnnouncer } from './replica-announcer.port.js';
export type { RestartSettings } from './restart-policy.js';
