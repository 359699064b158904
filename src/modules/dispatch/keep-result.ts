import type { EngineResult } from '../../engines/engine-adapter.port.js';
import { ContentPacker, type KeepArtifact } from '../artifacts/index.js';

/** More JSON than this is no event any more: every log, reader and transcript would carry it. */
const mostInlineBytes = 1024 * 1024;

/** Pieces are gathered to about so many characters before they are hashed and packed. */
const gatherCharacters = 65_536;

/** Where a result went: onto one line of JSON, or into an artifact. */
export type KeptResult = { readonly json: string } | { readonly artifactId: string };

/** Finds a place for what a task without tokens ends in. */
export class KeepResult {
  constructor(private readonly keepArtifact: Pick<KeepArtifact, 'run'>) {}

  /** Keeping it again is the same as once: an artifact is named by its content. Rejects when a store is away. */
  async run(result: EngineResult): Promise<KeptResult> {
    const pieces = resultPieces(result);
    let json = '';
    for (const piece of pieces) {
      json += piece;
      // All ASCII: as many bytes as characters.
      if (json.length > mostInlineBytes) return { artifactId: await this.keep(json, pieces) };
    }
    return { json };
  }

  /** Goes on where the pieces were left, a bit at a time, so that the streams of other tasks go on meanwhile. */
  private async keep(begun: string, rest: Iterable<string>): Promise<string> {
    const packer = new ContentPacker('other');
    let gathered = begun;
    for (const piece of rest) {
      if (gathered.length >= gatherCharacters) {
        await packer.add(gathered);
        gathered = '';
      }
      gathered += piece;
    }
    await packer.add(gathered);
    // No tag of the task: the same result of many tasks is one artifact, and would gather more tags than one may have.
    const labels = { tags: ['result'], parent: null, metadata: {} };
    return (await this.keepArtifact.run(await packer.finish(), labels)).id;
  }
}

/** A result as canonical JSON (RFC 8785), which is that of JSON.stringify here: numbers, and keys in their order. */
function* resultPieces(result: EngineResult): Generator<string, void, undefined> {
  const isEmbedding = 'embeddings' in result;
  yield isEmbedding ? '{"embeddings":[' : '{"scores":[';
  const items = isEmbedding ? result.embeddings : result.scores.map(({ index, score }) => ({ index, score }));
  let separator = '';
  for (const item of items) {
    yield separator + JSON.stringify(item);
    separator = ',';
  }
  yield ']}';
}
