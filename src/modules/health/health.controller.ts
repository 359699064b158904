import { Controller, Get, Header, HttpException, Inject } from '@nestjs/common';
import {
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
  type HealthIndicatorFunction,
} from '@nestjs/terminus';
import type { Liveness } from '../../contract/health.js';
import { AppError } from '../../platform/errors/app-error.js';
import { HEALTH_PROBES, type HealthProbe } from './health-probe.js';
import { runProbe } from './run-probe.js';

/** Liveness and readiness, for load balancers and people. */
@Controller()
export class HealthController {
  private readonly checks: HealthIndicatorFunction[];

  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(HealthIndicatorService) indicators: HealthIndicatorService,
    @Inject(HEALTH_PROBES) probes: readonly HealthProbe[],
  ) {
    this.checks = probes.map((probe) => async () => {
      const reason = await runProbe(probe);
      const indicator = indicators.check(probe.name);
      return reason === null ? indicator.up() : indicator.down({ reason });
    });
  }

  /** The process runs and answers; says nothing about its stores, so that a dead Redis does not get it restarted. */
  @Get('/healthz')
  @Header('Cache-Control', 'no-store')
  liveness(): Liveness {
    return { status: 'ok' };
  }

  /** Whether all this process needs answers; else UNAVAILABLE with one detail a failed check. */
  @Get('/readyz')
  @Header('Cache-Control', 'no-store')
  async readiness(): Promise<HealthCheckResult> {
    try {
      return await this.health.check(this.checks);
    } catch (error) {
      throw unready(error);
    }
  }
}

/** Terminus tells a failed check by an HTTP exception that carries the result. */
function unready(error: unknown): unknown {
  if (!(error instanceof HttpException)) return error;
  const result = error.getResponse() as HealthCheckResult;
  if (result.status === 'shutting_down') return new AppError('UNAVAILABLE', 'This process is shutting down.');
  const details = Object.entries(result.error ?? {}).map(([field, state]) => ({
    field,
    problem: String(state?.['reason'] ?? 'failed'),
  }));
  const message = `Not ready: ${details.map(({ field, problem }) => `${field} ${problem}`).join('; ')}.`;
  return new AppError('UNAVAILABLE', message, { details, retryAfterMs: 1000 });
}
