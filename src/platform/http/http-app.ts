import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { AppConfig } from '../config/app-config.js';
import type { Log } from '../observability/logger.js';
import { NestLogger } from '../observability/nest-logger.js';
import { ErrorFilter } from './error.filter.js';
import { createHttpAdapter } from './http-adapter.js';

/** Headers of ours a browser's script may read across origins. */
const exposedHeaders = [
  'X-Correlation-Id',
  'Location',
  'Retry-After',
  'X-Backoff-Ms',
  'X-Last-Event-Id',
  'Preference-Applied',
  'RateLimit',
  'RateLimit-Policy',
  'X-Budget-Tokens-Remaining',
  'X-Budget-Time-Remaining-Ms',
  'X-Budget-Cost-Remaining',
];

/**
 * Builds the HTTP side of a process around a Nest module, ready for more routes and then `listen`. Guaranteed on every answer: the envelope for
 * errors, `X-Correlation-Id`, and the token check of DESIGN §14.
 */
export async function createHttpApp(
  module: Type | DynamicModule,
  config: AppConfig,
  log: Log,
): Promise<NestFastifyApplication> {
  const adapter = createHttpAdapter(config, log);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    // Our own parser is registered already; Nest's would also accept forms.
    bodyParser: false,
    abortOnError: false,
    logger: new NestLogger(log),
  });
  app.useGlobalFilters(new ErrorFilter(log));
  if (config.server.cors_origins.length > 0) {
    const any = config.server.cors_origins.includes('*');
    app.enableCors({
      origin: any ? '*' : config.server.cors_origins,
      methods: ['GET', 'POST', 'DELETE'],
      exposedHeaders,
      maxAge: 600,
    });
  }
  return app;
}
