import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController } from './health.controller.js';
import { HEALTH_PROBES, type HealthProbe } from './health-probe.js';

/** How a process provides its probes: a factory over what its own module graph holds. */
export interface HealthModuleOptions {
  readonly imports?: DynamicModule['imports'];
  readonly inject?: readonly NonNullable<Extract<Provider, { inject?: unknown }>['inject']>[number][];
  readonly useFactory: (...collaborators: never[]) => readonly HealthProbe[];
}

/** `/healthz` and `/readyz`. */
@Module({})
export class HealthModule {
  static register(options: HealthModuleOptions): DynamicModule {
    return {
      module: HealthModule,
      // Terminus would log every failed readiness check; load balancers ask every second.
      imports: [TerminusModule.forRoot({ logger: false }), ...(options.imports ?? [])],
      controllers: [HealthController],
      providers: [
        {
          provide: HEALTH_PROBES,
          useFactory: options.useFactory as (...collaborators: unknown[]) => readonly HealthProbe[],
          inject: [...(options.inject ?? [])],
        },
      ],
    };
  }
}
