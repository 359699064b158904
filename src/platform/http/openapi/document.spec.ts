import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { errorCodes, errorEnvelope } from '../../../contract/errors.js';
import { routes } from '../../../contract/routes.js';
import { errorExample, eventsExample } from './examples.js';
import { openApiDocument } from './document.js';

describe('the OpenAPI document', () => {
  it('is valid, and the same every time', async () => {
    const document = openApiDocument('1.2.3');
    expect(await new Validator().validate(structuredClone(document))).toMatchObject({ valid: true });
    expect(JSON.stringify(openApiDocument('1.2.3'))).toBe(JSON.stringify(document));
  });

  it('refers only to schemas it has', () => {
    const document = openApiDocument('1.2.3') as { components: { schemas: object } };
    const text = JSON.stringify(document);
    const referred = [...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map((match) => match[1]);
    expect(new Set(Object.keys(document.components.schemas))).toEqual(new Set(referred));
    expect(text).not.toContain('$defs');
  });

  it('has examples that the server would take', () => {
    for (const { body, operationId } of routes) {
      const examples = (body?.meta()?.examples ?? []) as unknown[];
      for (const example of examples) expect([operationId, body?.safeParse(example).success]).toEqual([operationId, true]);
    }
    for (const code of errorCodes) expect(errorEnvelope.parse(errorExample(code)).code).toBe(code);
  });

  it('shows a stream whose frames fit their schemas', () => {
    const stream = routes.flatMap(({ answers }) => answers).find(({ body }) => body.kind === 'events')?.body;
    const events = stream?.kind === 'events' ? stream.events : {};
    const frames = eventsExample.trim().split('\n\n');
    for (const frame of frames) {
      const [, event, data] = /^id: \d+\nevent: (\w+)\ndata: (.*)$/.exec(frame) ?? [];
      expect([event, events[event ?? '']?.safeParse(JSON.parse(data ?? '')).success]).toEqual([event, true]);
    }
    expect(frames).toHaveLength(3);
  });
});
