import type { Pool } from 'pg';
import type { ArtifactKind, ArtifactListQuery, ArtifactSummary } from '../../contract/artifacts.js';
import { WriteBatcher } from '../../platform/database/write-batcher.js';
import type { Place } from '../../platform/http/keyset-page.js';
import { maxMetadataBytes, maxTags, merged, type KeptArtifact, type NewArtifact } from './artifact-record.js';

/** An artifact's row. */
export interface StoredArtifact {
  readonly summary: ArtifactSummary;
  /** Packed; null: it lies in the object store under `contentKey`. */
  readonly content: Buffer | null;
  readonly contentKey: string | null;
}

const summaryColumns = 'id, kind, created_at, tags, parent, metadata, content_key';
const unitedTags = `ARRAY(SELECT DISTINCT tag COLLATE "C" FROM unnest(a.tags || EXCLUDED.tags) AS t(tag) ORDER BY 1)`;
const unitedMetadata = 'EXCLUDED.metadata || a.metadata';

const keepSql = `
  INSERT INTO artifacts AS a (id, kind, created_at, tags, parent, metadata, content_key, content)
  SELECT r.id, r.kind, to_timestamp(r.created_ms / 1000.0), r.tags, r.parent, r.metadata, r.content_key, r.content
  FROM ROWS FROM (
    json_to_recordset($1::json) AS (id text, kind text, created_ms double precision, tags text[], parent text, metadata jsonb, content_key text),
    unnest($2::bytea[])
  ) AS r(id, kind, created_ms, tags, parent, metadata, content_key, content)
  ON CONFLICT (id) DO UPDATE SET tags = ${unitedTags}, metadata = ${unitedMetadata}
    WHERE cardinality(${unitedTags}) <= ${maxTags} AND octet_length((${unitedMetadata})::text) <= ${maxMetadataBytes}
  RETURNING ${summaryColumns}`;

/** A larger content goes in a statement of its own. */
const aloneFromBytes = 262_144;

/** The rows of artifacts. Rejects when Postgres is away. */
export class ArtifactsRepository {
  private readonly writes: WriteBatcher<NewArtifact, KeptArtifact | null>;
  private readonly looks: WriteBatcher<string, boolean>;

  constructor(private readonly pool: Pool) {
    this.writes = new WriteBatcher((artifacts) => this.write(artifacts), { maxItems: 64, parallel: 2 });
    this.looks = new WriteBatcher((ids) => this.whichExist(ids), { maxItems: 256, parallel: 2 });
  }

  /**
   * Keeps an artifact, or adds its tags and new metadata keys to the one that is there. Concurrent calls share statements. Null: it is there
   * and would have more tags or metadata than one may have; nothing was changed.
   */
  async keep(artifact: NewArtifact): Promise<KeptArtifact | null> {
    if ((artifact.content?.length ?? 0) < aloneFromBytes) return this.writes.add(artifact);
    return (await this.write([artifact]))[0] ?? null;
  }

  async find(id: string): Promise<StoredArtifact | null> {
    const text = `SELECT ${summaryColumns}, content FROM artifacts WHERE id = $1`;
    const found = await this.pool.query<Row & { content: Buffer | null }>({
      name: 'artifact-find',
      text,
      values: [id],
    });
    const row = found.rows[0];
    return row === undefined ? null : { summary: summaryOf(row), content: row.content, contentKey: row.content_key };
  }

  /** Concurrent calls share a statement: a crowd of readers asks before it is told how a task went. */
  exists(id: string): Promise<boolean> {
    return this.looks.add(id);
  }

  /** At most `limit` artifacts after the cursor, newest first. */
  async list(filter: Omit<ArtifactListQuery, 'cursor'>, after: Place | null): Promise<ArtifactSummary[]> {
    const values: unknown[] = [];
    const conditions: string[] = [];
    const where = (condition: (...names: string[]) => string, ...given: unknown[]): void => {
      conditions.push(condition(...given.map((value) => `$${values.push(value)}`)));
    };
    if (filter.tag !== undefined && filter.tag.length > 0) where((tags) => `tags @> ${tags}::text[]`, filter.tag);
    if (filter.kind !== undefined) where((kind) => `kind = ${kind}`, filter.kind);
    if (filter.parent !== undefined) where((parent) => `parent = ${parent}`, filter.parent);
    if (filter.since !== undefined) where((ms) => `created_at >= ${instant(ms)}`, filter.since);
    if (after !== null) where((ms, id) => `(created_at, id) < (${instant(ms)}, ${id})`, after.createdMs, after.id);
    const text = `SELECT ${summaryColumns} FROM artifacts ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`}
      ORDER BY created_at DESC, id DESC LIMIT $${values.push(filter.limit)}`;
    return (await this.pool.query<Row>(text, values)).rows.map(summaryOf);
  }

  /** The key of its content in the object store, null when it lay in the row. Undefined: there was no such artifact. */
  async remove(id: string): Promise<string | null | undefined> {
    const text = 'DELETE FROM artifacts WHERE id = $1 RETURNING content_key';
    const found = await this.pool.query<{ content_key: string | null }>({
      name: 'artifact-remove',
      text,
      values: [id],
    });
    return found.rows[0]?.content_key;
  }

  private async whichExist(ids: readonly string[]): Promise<boolean[]> {
    const text = 'SELECT id FROM artifacts WHERE id = ANY($1)';
    const found = await this.pool.query<{ id: string }>({ name: 'artifacts-exist', text, values: [ids] });
    const existing = new Set(found.rows.map(({ id }) => id));
    return ids.map((id) => existing.has(id));
  }

  private async write(artifacts: readonly NewArtifact[]): Promise<(KeptArtifact | null)[]> {
    // One statement may touch a row once, and statements that touch the same rows must do it in the same order.
    const once = new Map<string, NewArtifact>();
    for (const artifact of artifacts) {
      const before = once.get(artifact.id);
      once.set(artifact.id, before === undefined ? artifact : merged(before, artifact));
    }
    const inOrder = [...once.values()].toSorted((left, right) => (left.id < right.id ? -1 : 1));
    const found = await this.pool.query<Row>({
      name: 'artifact-keep',
      text: keepSql,
      values: [JSON.stringify(inOrder.map(rowOf)), inOrder.map(({ content }) => content)],
    });
    const kept = new Map(found.rows.map((row) => [row.id, { summary: summaryOf(row), contentKey: row.content_key }]));
    return artifacts.map(({ id }) => kept.get(id) ?? null);
  }
}

interface Row {
  id: string;
  kind: ArtifactKind;
  created_at: Date;
  tags: string[];
  parent: string | null;
  metadata: Record<string, unknown>;
  content_key: string | null;
}

function instant(parameter: string): string {
  return `to_timestamp(${parameter}::double precision / 1000)`;
}

function summaryOf({ id, kind, created_at, tags, parent, metadata }: Row): ArtifactSummary {
  return { id, kind, digest: id, created_ms: created_at.getTime(), tags, parent, metadata };
}

function rowOf({ id, kind, createdMs, tags, parent, metadata, contentKey }: NewArtifact): object {
  return { id, kind, created_ms: createdMs, tags, parent, metadata, content_key: contentKey };
}
