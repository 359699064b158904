import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { RequestMethod } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { routes } from '../../src/contract/routes.js';

const modules = join(import.meta.dirname, '../../src/modules');

/** `GET /v2/tasks/{id}` for every handler of every controller of the rooms. */
async function servedRoutes(): Promise<string[]> {
  const files = readdirSync(modules, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.controller.ts'),
  );
  const exported = await Promise.all(
    files.map(async (file) => Object.values((await import(join(modules, file))) as object)),
  );
  return exported.flat().flatMap((value: unknown) => (typeof value === 'function' ? handlersOf(value) : []));
}

function handlersOf(controller: { readonly prototype?: unknown }): string[] {
  const base = Reflect.getMetadata('path', controller) as string | undefined;
  const prototype = controller.prototype as Record<string, object> | undefined;
  if (base === undefined || prototype === undefined) return [];
  return Object.getOwnPropertyNames(prototype).flatMap((name) => {
    const handler = prototype[name];
    const path = handler === undefined ? undefined : (Reflect.getMetadata('path', handler) as string | undefined);
    const method =
      handler === undefined ? undefined : (Reflect.getMetadata('method', handler) as RequestMethod | undefined);
    return path === undefined || method === undefined ? [] : [`${RequestMethod[method]} ${joined(base, path)}`];
  });
}

function joined(base: string, path: string): string {
  const segments = `${base}/${path}`.split('/').filter((segment) => segment !== '');
  return `/${segments.map((segment) => segment.replace(/^:(.+)$/, '{$1}')).join('/')}`;
}

const byName = (left: string, right: string) => (left < right ? -1 : 1);

describe('the routes', () => {
  it('that are served are those of the contract', async () => {
    // Metrics come with the Prometheus module, which has no controller of ours.
    const promised = routes
      .filter(({ path }) => path !== '/metrics')
      .map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect((await servedRoutes()).toSorted(byName)).toEqual(promised.toSorted(byName));
  });

  it('have names and paths of their own, and declare their path parameters', () => {
    expect(new Set(routes.map(({ operationId }) => operationId)).size).toBe(routes.length);
    expect(new Set(routes.map(({ method, path }) => `${method} ${path}`)).size).toBe(routes.length);
    for (const { path, params } of routes) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      expect(Object.keys(params?.shape ?? {})).toEqual(named);
    }
  });
});
