import type { PoolConfig } from '../../contract/config.js';
import type { LiveReplica } from './live-replica.js';
import type { ReplicaClaims } from './replica-claims.js';

type Wanted = Pick<PoolConfig, 'engine' | 'model' | 'sampler_profile_version'>;

/** Why an engine can't be what its pool wants, by what was said of it when it was bound; null when it may be. Pure. */
export function claimProblem(wanted: Wanted, claims: ReplicaClaims): string | null {
  const { engine, model, sampler_profile_version: profile } = wanted;
  if (claims.engine !== engine.id) return `it is ${claims.engine}, and the pool wants ${engine.id}`;
  return (
    difference('engine version', claims.engineVersion, engine.version) ??
    difference('sampler profile', claims.samplerProfileVersion, profile) ??
    difference('model digest', claims.modelDigest, model.checksum ?? null)
  );
}

/** Why an engine that answers is not what its pool wants, or what was said of it; null when it is. Pure. */
export function versionProblem(
  wanted: Wanted,
  { known, engineVersion }: Pick<LiveReplica, 'known' | 'engineVersion'>,
): string | null {
  const claimed = known.claims?.engineVersion ?? null;
  if (claimed !== null && engineVersion !== null && claimed !== engineVersion)
    return `it was bound as engine version ${claimed}, and the engine says ${engineVersion}`;
  return difference('engine version', engineVersion, wanted.engine.version);
}

/**
 * The replicas of a pool with those left out that run another engine version than most do; of two halves the one with the first replica
 * stays. The same request must not give other tokens for the replica it meets. Pure. @param replicas by id
 */
export function agreeing(replicas: readonly LiveReplica[]): LiveReplica[] {
  const version = commonVersion(replicas);
  return replicas.map((replica) => {
    const { ready, engineVersion } = replica;
    if (!ready || version === null || engineVersion === null || engineVersion === version) return replica;
    return misfit(replica, `it runs engine version ${engineVersion}, and most replicas of the pool ${version}`);
  });
}

/** A replica that answers and is kept out. */
export function misfit(replica: LiveReplica, problem: string): LiveReplica {
  return { ...replica, state: 'failed', ready: false, lastError: `kept out: ${problem}` };
}

function commonVersion(replicas: readonly LiveReplica[]): string | null {
  const counts = new Map<string, number>();
  // Those of the configuration come first where it is even.
  for (const isBound of [false, true]) {
    for (const { ready, engineVersion, known } of replicas) {
      if (ready && engineVersion !== null && (known.claims !== null) === isBound)
        counts.set(engineVersion, (counts.get(engineVersion) ?? 0) + 1);
    }
  }
  let common: string | null = null;
  for (const [version, count] of counts) if (count > (counts.get(common ?? '') ?? 0)) common = version;
  return common;
}

function difference(what: string, is: string | null, wanted: string | null): string | null {
  if (is === null || wanted === null || is === wanted) return null;
  return `its ${what} is ${is}, and the pool wants ${wanted}`;
}
