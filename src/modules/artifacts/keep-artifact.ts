import { randomUUID } from 'node:crypto';
import { invalidParams } from '../../platform/errors/app-error.js';
import type { Clock } from '../../platform/clock/clock.js';
import { maxMetadataBytes, maxTags, sortedTags, type ArtifactLabels, type KeptArtifact } from './artifact-record.js';
import type { ArtifactsRepository } from './artifacts.repository.js';
import type { ObjectStore } from './object-store.port.js';
import type { PackedContent } from './packed-content.js';
import type { ArtifactSummary } from '../../contract/artifacts.js';

/** Larger packed contents go to the object store, where there is one for them. */
const inlineBytes = 65_536;

/** Keeps artifacts: the row in Postgres, the content beside it or in the object store. */
export class KeepArtifact {
  constructor(
    private readonly artifacts: ArtifactsRepository,
    /** Where large contents go; null: into the row like all others. */
    private readonly objects: ObjectStore | null,
    private readonly clock: Clock,
  ) {}

  /**
   * Keeping it again is the same as once: tags are united, metadata keys that are new are added, parent and time of creation stay as they
   * were. Rejects with INVALID_PARAMS when it would be its own parent, or gather too many tags or too much metadata.
   */
  async run(content: PackedContent, labels: ArtifactLabels): Promise<ArtifactSummary> {
    const { id, kind, bytes } = content;
    if (labels.parent === id) throw invalidParams([{ field: 'parent', problem: 'is the artifact itself' }]);
    const artifact = { id, kind, ...labels, tags: sortedTags(labels.tags), createdMs: this.clock.now() };
    const { objects } = this;
    if (objects === null || bytes.length <= inlineBytes) {
      return this.written(await this.artifacts.keep({ ...artifact, content: bytes, contentKey: null }));
    }
    const contentKey = newKey(id);
    await objects.put(contentKey, bytes);
    const kept = await this.artifacts.keep({ ...artifact, content: null, contentKey });
    // It was there before: ours is one copy too many.
    if (kept?.contentKey !== contentKey) await objects.remove(contentKey);
    return this.written(kept);
  }

  private written(kept: KeptArtifact | null): ArtifactSummary {
    if (kept !== null) return kept.summary;
    const problem = `would leave the artifact with more than ${maxTags} tags or ${maxMetadataBytes} bytes of metadata, with those it has`;
    throw invalidParams([{ field: 'body', problem }]);
  }
}

/** A key that nobody else ever has: whoever deletes the artifact removes the file that its row named, never a newer one. */
function newKey(id: string): string {
  const hex = id.slice('sha256:'.length);
  return `${hex.slice(0, 2)}/${hex}-${randomUUID()}`;
}
