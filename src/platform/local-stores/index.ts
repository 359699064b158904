export { startEmbeddedPostgres, type EmbeddedPostgresOptions } from './embedded-postgres.js';
export { startLocalRedis, type LocalRedisOptions } from './local-redis.js';
export { LocalStoreError } from './local-store.errors.js';
export type { LocalStore } from './local-store.js';
export type { LocalStoreLog, Progress, ProgressListener } from './progress.js';
export { assertRedisVersion } from './redis-version.js';
