import type { Config, PoolConfig } from '../../contract/config.js';
import type { Secret } from './secret.js';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** A pool as configured, with what depends on other keys filled in: an absolute cache folder, replica URLs without a trailing slash. */
export type AppPool = Omit<PoolConfig, 'model'> & {
  readonly model: PoolConfig['model'] & { readonly cache_dir: string };
};

/**
 * The whole configuration of a process, checked and compiled once. `undefined` is left only where it means something (`devices`: pick by
 * what is there; `ctx`, replica `slots`: what the engine says). Safe to print: secrets and store URLs show as `[redacted]`.
 */
export interface AppConfig extends Omit<Config, 'storage' | 'artifacts' | 'pools'> {
  readonly pools: readonly AppPool[];
  /** `server.bind` in its parts; port 0 picks a free one. */
  readonly listen: { readonly host: string; readonly port: number; readonly isLoopback: boolean };
  /** Absolute paths. */
  readonly paths: {
    readonly dataDir: string;
    readonly runtimeDir: string;
    /** Where models live unless a pool says otherwise. */
    readonly cacheDir: string;
    /** Where large contents of artifacts lie. */
    readonly artifactsDir: string;
  };
  readonly artifacts: { readonly store: 'fs' | 'postgres' };
  /** null: the embedded one. The URLs may hold passwords. */
  readonly stores: { readonly databaseUrl: Secret | null; readonly redisUrl: Secret | null };
  readonly secrets: {
    readonly authToken: Secret | null;
    readonly hfToken: Secret | null;
    /** Keys that engines ask for, by pool. */
    readonly engineKeys: ReadonlyMap<string, Secret>;
  };
  readonly logging: { readonly level: LogLevel; readonly color: boolean };
  readonly source: {
    /** Absolute path of the file read, or null. */
    readonly file: string | null;
    /** True when there was no file: the demonstration pool was put in. */
    readonly isDemo: boolean;
  };
}
