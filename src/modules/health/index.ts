export { HealthModule, type HealthModuleOptions } from './health.module.js';
export { HEALTH_PROBES, type HealthProbe } from './health-probe.js';
