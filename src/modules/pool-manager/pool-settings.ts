import type { EngineId } from '../../contract/common.js';
import type { EngineAdapter } from '../../engines/engine-adapter.port.js';
import type { LookAtEngine } from '../../engines/engine-probe.js';
import type { discoverMachine, Environment, EnsureModel } from '../provisioning/index.js';
import type { EngineHostProgram } from './engine-command.js';
import type { ReplicaAnnouncer } from './replica-announcer.port.js';
import type { RestartSettings } from './restart-policy.js';

/** One pool in package mode. */
export interface PackagePool {
  readonly id: string;
  readonly engine: {
    readonly id: EngineId;
    readonly packageName: 'llama-server' | 'node-llama-cpp' | undefined;
    /** Exact version wanted; null: any. */
    readonly version: string | null;
    /** Name the engine serves the model under; undefined: the model's file name. */
    readonly servedModelName: string | undefined;
  };
  readonly model: { readonly ref: string; readonly checksum: string | undefined; readonly cacheDir: string };
  /** Tokens of one task; undefined: the model's own. */
  readonly ctx: number | undefined;
  readonly slots: number;
  readonly devices: readonly number[] | undefined;
  readonly health: { readonly intervalMs: number; readonly timeoutMs: number };
  readonly timeouts: { readonly connectMs: number; readonly idleMs: number; readonly wallMs: number };
}

/** What all pools of a process share. */
export interface PoolManagerSettings {
  readonly gpuPolicy: 'required' | 'allowed-cpu';
  readonly mayInstall: boolean;
  /** Where prepared engines live. */
  readonly enginesDir: string;
  /** Where pid and log files live. */
  readonly runtimeDir: string;
  readonly engineHost: EngineHostProgram;
  /** Of this process; secrets are taken out before a child sees it. */
  readonly environment: Environment;
  readonly patience: Patience;
}

/** How long things may take, in milliseconds. */
export interface Patience {
  /** From spawn to a healthy engine: a large model on a slow disk loads for minutes. */
  readonly startMs: number;
  readonly selfTestMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly stopGraceMs: number;
  /** Between two health checks while starting. */
  readonly pollMs: number;
  /** Failed health checks in a row that make a ready engine count as lost. */
  readonly healthFailures: number;
  readonly restart: RestartSettings;
}

/** The half of an adapter that the self-test needs. */
export type Decoder = Pick<EngineAdapter, 'submit'>;

/** Narrow collaborators of the supervisors; the process plugs them in. */
export interface PoolCollaborators {
  readonly ensureModel: Pick<EnsureModel, 'run'>;
  readonly adapters: ReadonlyMap<EngineId, Decoder>;
  readonly look: LookAtEngine;
  readonly announcer: ReplicaAnnouncer;
  /** Default: what is found on this machine. */
  readonly discoverMachine?: typeof discoverMachine;
}
