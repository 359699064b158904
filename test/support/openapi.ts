import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import type { Answer } from './deployment.js';

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

export const openApi = JSON.parse(readFileSync(join(import.meta.dirname, '../../openapi/openapi.json'), 'utf8')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: false, allErrors: true });
ajv.addSchema({ ...openApi, $id: 'openapi' } as object);

/** Holds a real answer against what the committed document says of the route: a status it names, a body of that schema. */
export function expectDocumented(method: string, path: string, answer: Answer): void {
  const response = openApi.paths[path]?.[method.toLowerCase()]?.responses[answer.status];
  if (response === undefined) throw new Error(`${answer.status} of ${method} ${path} is not documented`);
  if (response.content?.['application/json'] === undefined) return;
  const part = (text: string): string => text.replaceAll('~', '~0').replaceAll('/', '~1');
  const pointer = [
    'paths',
    path,
    method.toLowerCase(),
    'responses',
    `${answer.status}`,
    'content',
    'application/json',
    'schema',
  ];
  const validate = ajv.compile({ $ref: `openapi#/${pointer.map((text) => encodeURIComponent(part(text))).join('/')}` });
  const problems = validate(answer.body) ? [] : validate.errors;
  expect([method, path, answer.status, problems]).toEqual([method, path, answer.status, []]);
}
