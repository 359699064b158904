export { HealthModule, type HealthModuleOptions } from './health.module.js';
export type { HealthProbe } from './health-probe.js';
