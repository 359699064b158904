import { Module, type DynamicModule } from '@nestjs/common';
import { HealthModule, type HealthProbe } from '../../modules/health/index.js';
import { MetricsModule } from '../../platform/observability/metrics.module.js';

/** The HTTP side of a process: health and metrics always, the rest by its roles. */
@Module({})
export class AppModule {
  static register(probes: readonly HealthProbe[], roleModules: readonly DynamicModule[]): DynamicModule {
    const health = HealthModule.register({ useFactory: () => probes });
    return {
      module: AppModule,
      imports: [MetricsModule.register(), health, ...roleModules],
    };
  }
}
