import type { TaskRequest } from '../../contract/task-request.js';
import { fieldOf, requiredFeatures } from '../../engines/engine-capabilities.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { LineGauge } from '../admission/index.js';
import { decide, type Decision, type PlacementRequest } from '../placement/index.js';
import type { LivePool, PoolRegistry } from '../pools/index.js';
import { poolSnapshot, StartForecasts } from './pool-snapshot.js';
import { expectedTokens, kvTokens } from './task-record.js';
import { isStrict, workOf } from './task-work.js';

const noPools: ReadonlySet<string> = new Set();

/** Asks placement where a request should run, on what is known of the pools now. */
export class PlaceTask {
  private readonly forecasts = new StartForecasts();

  constructor(
    private readonly pools: Pick<PoolRegistry, 'all'>,
    private readonly gauge: Pick<LineGauge, 'of'>,
    private readonly clock: Clock,
    private readonly policy: { readonly mayPin: boolean },
  ) {}

  /**
   * Asks no store.
   * @param pools those that may be chosen; all when left out
   * @param home where its session ran last; null: nowhere that matters
   * @param full pools whose lines have just had no room for it
   */
  run(
    request: TaskRequest,
    pools: readonly LivePool[] = this.pools.all(),
    home: PlacementRequest['affinity'] = null,
    full: ReadonlySet<string> = noPools,
  ): Decision {
    const task = { priority: request.priority, tokens: expectedTokens(request), nowMs: this.clock.now() };
    const snapshots = pools.map((pool) => {
      const { id } = pool.config;
      return { ...poolSnapshot(pool, this.gauge.of(id), task, this.forecasts), isFull: full.has(id) };
    });
    return decide(placementRequest(request, home, this.policy.mayPin), snapshots);
  }
}

function placementRequest(
  request: TaskRequest,
  affinity: PlacementRequest['affinity'],
  mayPin: boolean,
): PlacementRequest {
  const { ctx = 0, max_tokens: maxTokens = 0 } = request;
  const needs = requiredFeatures(workOf(request), isStrict(request));
  return {
    modelRef: request.model_ref,
    engine: request.engine,
    needs: needs.map((feature) => ({ feature, field: fieldOf(feature) })),
    samplerProfile: request.sampler_profile_version,
    ctxNeeded: Math.max(ctx, maxTokens + 1),
    ctxField: ctx > maxTokens ? 'ctx' : 'max_tokens',
    kvTokens: kvTokens(request),
    affinity,
    wish: request.placement,
    mayPin,
  };
}
