import type { ArtifactListQuery, ArtifactPage, ArtifactSummary } from '../../contract/artifacts.js';
import { AppError, invalidParams } from '../../platform/errors/app-error.js';
import type { ArtifactCursor, ArtifactsRepository, StoredArtifact } from './artifacts.repository.js';
import type { ObjectStore } from './object-store.port.js';
import { unpack } from './packed-content.js';

/** Shows artifacts. */
export class ReadArtifact {
  constructor(
    private readonly artifacts: ArtifactsRepository,
    private readonly objects: ObjectStore,
  ) {}

  /** The artifact and its content as canonical JSON. Rejects with NOT_FOUND; with UNAVAILABLE when the content lies out of reach. */
  async one(id: string): Promise<{ readonly summary: ArtifactSummary; readonly content: Buffer }> {
    const stored = await this.artifacts.find(id);
    if (stored === null) throw unknownArtifact();
    const content = await this.contentOf(stored);
    if (content !== null) return { summary: stored.summary, content };
    throw new AppError(
      'UNAVAILABLE',
      'The content of this artifact is not in the artifacts.dir of this process; let all processes share that directory.',
    );
  }

  /** Its content as canonical JSON; null when the artifact was deleted or its content lies out of reach. */
  async content(id: string): Promise<Buffer | null> {
    const stored = await this.artifacts.find(id);
    return stored === null ? null : this.contentOf(stored);
  }

  exists(id: string): Promise<boolean> {
    return this.artifacts.exists(id);
  }

  /** Newest first. Rejects with INVALID_PARAMS for a cursor that is none of ours. */
  async page({ cursor, ...filter }: ArtifactListQuery): Promise<ArtifactPage> {
    const after = cursor === undefined ? null : readCursor(cursor);
    const found = await this.artifacts.list({ ...filter, limit: filter.limit + 1 }, after);
    const items = found.slice(0, filter.limit);
    const last = items.at(-1);
    return { items, next_cursor: found.length > filter.limit && last !== undefined ? writeCursor(last) : null };
  }

  private async contentOf({ content, contentKey }: StoredArtifact): Promise<Buffer | null> {
    const packed = content ?? (contentKey === null ? null : await this.objects.get(contentKey));
    return packed === null ? null : unpack(packed);
  }
}

export function unknownArtifact(): AppError {
  return new AppError('NOT_FOUND', 'There is no artifact of that id; it may have been deleted.');
}

function writeCursor({ created_ms, id }: ArtifactSummary): string {
  return Buffer.from(`${created_ms}.${id}`, 'latin1').toString('base64url');
}

function readCursor(cursor: string): ArtifactCursor {
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  const [, createdMs, id] = /^(\d{1,15})\.(sha256:[0-9a-f]{64})$/.exec(text) ?? [];
  if (createdMs === undefined || id === undefined)
    throw invalidParams([{ field: 'query.cursor', problem: 'is not a cursor of this list' }]);
  return { createdMs: Number(createdMs), id };
}
