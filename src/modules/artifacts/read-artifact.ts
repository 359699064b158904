import {
  artifactId,
  type ArtifactListQuery,
  type ArtifactPage,
  type ArtifactSummary,
} from '../../contract/artifacts.js';
import { AppError } from '../../platform/errors/app-error.js';
import { pageOf, readCursor } from '../../platform/http/keyset-page.js';
import type { ArtifactsRepository, StoredArtifact } from './artifacts.repository.js';
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
    const after = readCursor(cursor, isArtifactId);
    const found = await this.artifacts.list({ ...filter, limit: filter.limit + 1 }, after);
    return pageOf(found, filter.limit, ({ created_ms, id }) => ({ createdMs: created_ms, id }));
  }

  private async contentOf({ content, contentKey }: StoredArtifact): Promise<Buffer | null> {
    const packed = content ?? (contentKey === null ? null : await this.objects.get(contentKey));
    return packed === null ? null : unpack(packed);
  }
}

export function unknownArtifact(): AppError {
  return new AppError('NOT_FOUND', 'There is no artifact of that id; it may have been deleted.');
}

function isArtifactId(text: string): boolean {
  return artifactId.safeParse(text).success;
}
