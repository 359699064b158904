import type { ArtifactKind, ArtifactSummary } from '../../contract/artifacts.js';

/** What describes an artifact and is no part of its identity. */
export interface ArtifactLabels {
  readonly tags: readonly string[];
  readonly parent: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** An artifact as it is written: its content in the row, or in the object store. */
export interface NewArtifact extends ArtifactLabels {
  readonly id: string;
  readonly kind: ArtifactKind;
  readonly createdMs: number;
  /** Null: it lies under `contentKey`. */
  readonly content: Buffer | null;
  readonly contentKey: string | null;
}

/** What a write left behind. */
export interface KeptArtifact {
  readonly summary: ArtifactSummary;
  /** Where the content lies; null: in the row. Another key than the one written: the artifact was there before. */
  readonly contentKey: string | null;
}

/** Most tags and bytes of metadata that one artifact gathers over all its writes. */
export const maxTags = 256;
export const maxMetadataBytes = 65_536;

/** Tags in order, each once. */
export function sortedTags(tags: readonly string[]): string[] {
  return [...new Set(tags)].toSorted();
}

/** Two writes of the same artifact as one: tags are united, of all else the first one stands. */
export function merged(first: NewArtifact, second: NewArtifact): NewArtifact {
  return {
    ...first,
    tags: sortedTags([...first.tags, ...second.tags]),
    metadata: { ...second.metadata, ...first.metadata },
  };
}
