import { Module, type DynamicModule } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { register } from 'prom-client';
import { Metrics } from './metrics.js';

/** `GET /metrics` in Prometheus text, and `Metrics` for every room that counts something. */
@Module({})
export class MetricsModule {
  static register(): DynamicModule {
    // A second application in the same process finds the process metrics registered already; registering them twice throws.
    const enabled = register.getSingleMetric('process_cpu_user_seconds_total') === undefined;
    return {
      module: MetricsModule,
      global: true,
      imports: [PrometheusModule.register({ path: '/metrics', defaultMetrics: { enabled } })],
      providers: [Metrics],
      exports: [Metrics],
    };
  }
}
