import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { openApiDocument } from './openapi/document.js';

/** Swagger UI at `/docs` and the document at `/docs-json`. */
export function mountDocs(app: NestFastifyApplication, version: string): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(version) as unknown as OpenAPIObject, {
    raw: ['json'],
    customSiteTitle: 'orchestratord API',
    swaggerOptions: { tryItOutEnabled: true, displayRequestDuration: true, persistAuthorization: true },
  });
}
