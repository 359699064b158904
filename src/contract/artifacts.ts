import { z } from 'zod';
import { pageOf, pageQuery, since } from './common.js';

export const artifactKind = z
  .enum(['plan', 'summary', 'diff', 'trace', 'transcript', 'logs', 'other'])
  .meta({ id: 'ArtifactKind', description: 'What the document is; part of its identity.' });
export type ArtifactKind = z.infer<typeof artifactKind>;

export const artifactId = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be "sha256:" and 64 lower-case hex digits');

const tag = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must be Unicode text without control characters');

/** JSON has no number beyond ±1.8e308: `1e999` is read as infinity, which no canonical form has. */
const jsonValue = z.unknown().superRefine((value, context) => {
  if (value === undefined) context.addIssue({ code: 'custom', message: 'is required' });
  const path = infinityIn(value);
  if (path !== null) context.addIssue({ code: 'custom', path, message: 'is a number too large for JSON (RFC 8785)' });
});

function infinityIn(value: unknown): (string | number)[] | null {
  if (typeof value === 'number') return Number.isFinite(value) ? null : [];
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, child] of Object.entries(value)) {
    const found = infinityIn(child);
    if (found !== null) return [Array.isArray(value) ? Number(key) : key, ...found];
  }
  return null;
}

const maxMetadataBytes = 16_384;
const metadata = z
  .record(z.string(), jsonValue)
  .refine((value) => JSON.stringify(value).length <= maxMetadataBytes, `must have at most ${maxMetadataBytes} bytes`);

/** Body of `POST /v2/artifacts`. */
export const artifactSubmission = z
  .strictObject({
    kind: artifactKind,
    content: jsonValue.describe('Any JSON value; its canonical form (RFC 8785) is the identity together with `kind`.'),
    tags: z.array(tag).max(64).default([]).describe('Found by them in lists; united with those that are there.'),
    parent: artifactId.optional().describe('The artifact this one was made from; the first one given stays.'),
    metadata: metadata.default({}).describe('Anything small; keys that are there keep their values.'),
  })
  .meta({
    id: 'ArtifactSubmission',
    examples: [{ kind: 'plan', content: { steps: ['read', 'write'] }, tags: ['project:demo'], metadata: { by: 'me' } }],
  });
export type ArtifactSubmission = z.infer<typeof artifactSubmission>;

/** An artifact as lists show it. */
export const artifactSummary = z
  .object({
    id: artifactId.describe('sha256 of the canonical JSON (RFC 8785) of `{kind, content}`.'),
    kind: artifactKind,
    digest: artifactId.describe('The same as `id`.'),
    created_ms: z.int(),
    tags: z.array(z.string()),
    parent: artifactId.nullable(),
    metadata: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'ArtifactSummary' });
export type ArtifactSummary = z.infer<typeof artifactSummary>;

export const artifact = artifactSummary
  .extend({ content: z.unknown().describe('The document, keys in canonical order.') })
  .meta({ id: 'Artifact' });

export const artifactPage = pageOf(artifactSummary, 'ArtifactPage');
export type ArtifactPage = z.infer<typeof artifactPage>;

/** Query of `GET /v2/artifacts`. */
export const artifactListQuery = z.strictObject({
  ...pageQuery,
  tag: z
    .preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(tag).max(16))
    .optional()
    .describe('Repeatable: only artifacts that have all of these tags.'),
  kind: artifactKind.optional(),
  parent: artifactId.optional().describe('Only artifacts made from this one.'),
  since: since.optional().describe('Only artifacts created at or after: ISO 8601 or Unix milliseconds.'),
});
export type ArtifactListQuery = z.infer<typeof artifactListQuery>;

export const artifactParams = z.strictObject({ id: artifactId.describe('The id of the artifact.') });
