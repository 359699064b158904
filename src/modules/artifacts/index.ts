export { ArtifactsModule, type ArtifactUseCases } from './artifacts.module.js';
export { ArtifactsRepository } from './artifacts.repository.js';
export { canonicalJson } from './canonical-json.js';
export { DeleteArtifact } from './delete-artifact.js';
export { DirectoryStore } from './directory-store.js';
export { KeepArtifact } from './keep-artifact.js';
export { ContentPacker, type PackedContent } from './packed-content.js';
export { ReadArtifact } from './read-artifact.js';
