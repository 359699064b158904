import { memoryLack } from './kv-room.js';
import type { PlacementRequest, PoolSnapshot } from './snapshot.js';

/** Why a pool can't take a task. `memory`, `full` and `unready` pass with time; the others don't. */
export interface Obstacle {
  readonly kind:
    'model' | 'engine' | 'avoided' | 'mask' | 'feature' | 'profile' | 'ctx' | 'memory' | 'full' | 'unready';
  readonly text: string;
  /** Field of the request that asks for what is not there, where it is one of its own. */
  readonly field?: string;
}

export const isPassing = ({ kind }: Obstacle): boolean => kind === 'memory' || kind === 'full' || kind === 'unready';

/** What a pool must fulfil: null, or what is wrong. */
type Rule = (request: PlacementRequest, pool: PoolSnapshot) => Obstacle | null;

const rules: readonly Rule[] = [
  ({ modelRef }, { modelNames }) =>
    modelNames.includes(modelRef) ? null : { kind: 'model', text: `it serves ${modelNames[0] ?? 'no model'}` },

  (request, { engine }) =>
    [undefined, engine].includes(request.engine) ? null : { kind: 'engine', text: `its engine is ${engine}` },

  ({ wish }, { id }) => (wish?.avoid_pools?.includes(id) ? { kind: 'avoided', text: 'the task avoids it' } : null),

  ({ wish }, pool) => maskObstacle(wish?.require_device_mask, pool),

  ({ samplerProfile: wanted }, { samplerProfile }) =>
    wanted === undefined || wanted === samplerProfile
      ? null
      : {
          kind: 'profile',
          text: `its sampler profile is ${samplerProfile}, not ${wanted}`,
          field: 'sampler_profile_version',
        },

  ({ ctxNeeded, ctxField }, { ctxMax }) =>
    ctxMax === null || ctxNeeded <= ctxMax
      ? null
      : {
          kind: 'ctx',
          text: `the task needs ${ctxNeeded} tokens of context, the model has ${ctxMax}`,
          field: ctxField,
        },

  (request, pool) => {
    const text = memoryLack(request, pool);
    return text === null ? null : { kind: 'memory', text };
  },

  (_, { isFull }) => (isFull ? { kind: 'full', text: 'its line is full' } : null),

  (_, { ready, unreadyReason }) => (ready ? null : { kind: 'unready', text: unreadyReason ?? 'it is not ready' }),
];

/** Everything that keeps a pool from taking a task. Pure. */
export function obstaclesOf(request: PlacementRequest, pool: PoolSnapshot): Obstacle[] {
  const found: Obstacle[] = [];
  for (const rule of rules) {
    const obstacle = rule(request, pool);
    if (obstacle !== null) found.push(obstacle);
  }
  return [...found, ...lacks(request, pool)];
}

/** Each thing that is asked of the engine and that it can't do. */
function lacks({ needs }: PlacementRequest, { engine, features }: PoolSnapshot): Obstacle[] {
  if (features === null) return [];
  return needs
    .filter(({ feature }) => !features.has(feature))
    .map(({ feature, field }) => ({
      kind: 'feature',
      text: `${engine} can't do ${feature.replace('+', ' with ')}`,
      field,
    }));
}

/** A replica that has it must be there, and be ready where any is. A pool without replicas may yet get them. */
function maskObstacle(mask: string | undefined, { replicas }: PoolSnapshot): Obstacle | null {
  if (mask === undefined || replicas.length === 0) return null;
  const having = replicas.filter(({ deviceMask }) => deviceMask === mask);
  if (having.length === 0) return { kind: 'mask', text: `no replica of it has the device mask ${mask}` };
  const isReady = having.some(({ ready }) => ready) || !replicas.some(({ ready }) => ready);
  return isReady ? null : { kind: 'unready', text: `no replica of it with the device mask ${mask} is ready` };
}
