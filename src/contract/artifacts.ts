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

/** What is no JSON at all (a number beyond ±1.8e308) is refused with every body. */
const content = z.unknown().refine((value) => value !== undefined, 'is required');

const maxMetadataBytes = 16_384;
const metadata = z
  .record(z.string(), z.unknown())
  .refine((value) => JSON.stringify(value).length <= maxMetadataBytes, `must have at most ${maxMetadataBytes} bytes`);

/** Body of `POST /v2/artifacts`. */
export const artifactSubmission = z
  .strictObject({
    kind: artifactKind,
    content: content.describe('Any JSON value; its canonical form (RFC 8785) is the identity together with `kind`.'),
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
