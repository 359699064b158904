import type { ErrorDetail } from '../../contract/errors.js';
import type { Obstacle } from './obstacles.js';
import type { PlacementRequest, PoolSnapshot } from './snapshot.js';

/** A pool, and what keeps it from taking the task. */
export interface Judged {
  readonly pool: PoolSnapshot;
  readonly obstacles: readonly Obstacle[];
}

/** Why no pool was chosen, without the candidates. */
export interface Refusal {
  readonly kind: 'none';
  readonly code: 'INVALID_PARAMS' | 'POOL_UNREADY' | 'POOL_UNAVAILABLE';
  readonly message: string;
  readonly poolId: string | null;
  readonly details: readonly ErrorDetail[];
}

/**
 * What to tell when no pool can take a task: what is wrong with the pools that come closest.
 * @param lead the message, where the asker knows better what was asked for; null: made from what is wrong
 */
export function noneCanTake(request: PlacementRequest, judged: readonly Judged[], lead: string | null): Refusal {
  const serving = without(judged, 'model', 'engine', 'avoided', 'mask');
  if (serving.length === 0) return refused('POOL_UNAVAILABLE', lead ?? unavailableMessage(request, judged));
  const able = without(serving, 'feature');
  if (able.length === 0) return lacking(serving);
  const alike = without(able, 'profile');
  if (alike.length === 0) return otherProfiles(request, able);
  const fitting = without(alike, 'ctx');
  if (fitting.length === 0) return tooLong(request, alike);
  return notNow(fitting, lead);
}

/** What stands in the way passes with time. */
function notNow(fitting: readonly Judged[], lead: string | null): Refusal {
  const closest = without(fitting, 'unready')[0] ?? fitting[0];
  const why = closest?.obstacles[0]?.text ?? 'try again soon';
  const poolId = closest?.pool.id ?? null;
  return refused('POOL_UNREADY', lead ?? `The pool is not ready: ${why}.`, { poolId });
}

export function refused(
  code: Refusal['code'],
  message: string,
  about: { readonly poolId?: string | null; readonly details?: readonly ErrorDetail[] } = {},
): Refusal {
  return { kind: 'none', code, message, poolId: about.poolId ?? null, details: about.details ?? [] };
}

function without(judged: readonly Judged[], ...kinds: readonly Obstacle['kind'][]): Judged[] {
  return judged.filter(({ obstacles }) => !obstacles.some(({ kind }) => kinds.includes(kind)));
}

/** What the engine that comes closest can't do. */
function lacking(serving: readonly Judged[]): Refusal {
  const missing = serving
    .map(({ obstacles }) => obstacles.filter(({ kind }) => kind === 'feature'))
    .reduce((fewest, one) => (one.length < fewest.length ? one : fewest));
  const details = missing.map(({ field = 'model_ref', text: problem }) => ({ field, problem }));
  const message = details.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
  return refused('INVALID_PARAMS', message, { details });
}

function otherProfiles({ samplerProfile: wanted }: PlacementRequest, able: readonly Judged[]): Refusal {
  const field = 'sampler_profile_version';
  const known = [...new Set(able.map(({ pool }) => pool.samplerProfile))].toSorted();
  const problem = `no pool that could take the task has ${wanted ?? 'it'}; there is ${known.slice(0, 20).join(', ')}`;
  return refused('INVALID_PARAMS', `${field}: ${problem}`, { details: [{ field, problem }] });
}

function tooLong({ ctxNeeded, ctxField: field }: PlacementRequest, able: readonly Judged[]): Refusal {
  const largest = able.reduce((most, { pool }) => Math.max(most, pool.ctxMax ?? 0), 0);
  const problem = `the task needs ${ctxNeeded} tokens of context, the largest pool has ${largest}`;
  return refused('INVALID_PARAMS', `${field}: ${problem}`, { details: [{ field, problem }] });
}

function unavailableMessage({ modelRef }: PlacementRequest, judged: readonly Judged[]): string {
  const names = [...new Set(judged.flatMap(({ pool }) => pool.modelNames))];
  if (names.length === 0) return 'No pool is configured: add one under `pools` in the configuration.';
  if (names.includes(modelRef))
    return `No pool that serves ${modelRef} fits the engine and placement asked for; see GET /v2/pools.`;
  return `No pool serves ${modelRef}. Served: ${names.slice(0, 20).join(', ')}.`;
}
