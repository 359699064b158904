import { ContentPacker, type KeepArtifact } from '../artifacts/index.js';
import type { LogChunk } from '../events/index.js';
import type { OpenTask, TaskEnding } from './task-record.js';
import { transcriptPieces } from './transcript.js';

/** Pieces are gathered to about so many characters before they are hashed and packed. */
const gatherCharacters = 65_536;

/** Keeps what a task has left behind, whole or partial, as its `transcript` artifact. */
export class KeepTranscript {
  constructor(private readonly keepArtifact: KeepArtifact) {}

  /** Gives the artifact's id. For the same task and log it is the same one, kept once. Concurrent calls share a statement. */
  async run(task: OpenTask, ending: TaskEnding, chunks: readonly LogChunk[]): Promise<string> {
    const packer = new ContentPacker('transcript');
    let gathered = '';
    for (const piece of transcriptPieces(task, ending, chunks)) {
      gathered += piece;
      if (gathered.length < gatherCharacters) continue;
      await packer.add(gathered);
      gathered = '';
    }
    await packer.add(gathered);
    const { id } = await this.keepArtifact.run(await packer.finish(), {
      tags: tagsOf(task),
      parent: null,
      metadata: { state: ending.state, tokens_out: ending.tokensOut, finish_reason: ending.finishReason },
    });
    return id;
  }
}

function tagsOf({ taskId, request: { session_id: sessionId } }: OpenTask): string[] {
  return [`task:${taskId}`, ...(sessionId === undefined ? [] : [`session:${sessionId}`])];
}
