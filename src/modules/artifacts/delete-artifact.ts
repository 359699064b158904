import type { ArtifactsRepository } from './artifacts.repository.js';
import type { ObjectStore } from './object-store.port.js';
import { unknownArtifact } from './read-artifact.js';

/** Deletes artifacts. Those made from it stay, and so does the task whose transcript it was. */
export class DeleteArtifact {
  constructor(
    private readonly artifacts: ArtifactsRepository,
    private readonly objects: ObjectStore,
  ) {}

  /** Rejects with NOT_FOUND. A crash between row and content leaves a file that nothing names. */
  async run(id: string): Promise<void> {
    const contentKey = await this.artifacts.remove(id);
    if (contentKey === undefined) throw unknownArtifact();
    if (contentKey !== null) await this.objects.remove(contentKey);
  }
}
