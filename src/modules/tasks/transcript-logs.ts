import { AppError } from '../../platform/errors/app-error.js';
import type { ReadArtifact } from '../artifacts/index.js';
import type { EndedLogs, EventArchiveRepository, LogChunk } from '../events/index.js';
import { isFinal } from './task-state.js';
import { logOfTranscript } from './transcript.js';
import type { TaskStanding } from './standing-rows.js';
import type { TasksRepository } from './tasks.repository.js';

/** The logs of ended tasks, read back from their transcripts; those of tasks that ended before there were any, from the archive. */
export class TranscriptLogs implements EndedLogs {
  constructor(
    private readonly tasks: Pick<TasksRepository, 'stateOf'>,
    private readonly artifacts: Pick<ReadArtifact, 'content' | 'exists'>,
    private readonly archive: Pick<EventArchiveRepository, 'find'>,
  ) {}

  async find(taskId: string): Promise<LogChunk[] | 'open' | 'gone'> {
    const standing = await this.tasks.stateOf(taskId);
    if (standing === null) return 'gone';
    if (!isFinal(standing.state)) return 'open';
    if (standing.artifactId === null) return (await this.archive.find(taskId)) ?? 'gone';
    const content = await this.artifacts.content(standing.artifactId);
    return content === null ? 'gone' : logOfTranscript(taskId, content);
  }

  /** Rejects with NOT_FOUND when the transcript of the task was deleted: then its events are kept from readers everywhere. */
  async assertKept({ state, artifactId }: TaskStanding): Promise<void> {
    if (!isFinal(state) || artifactId === null || (await this.artifacts.exists(artifactId))) return;
    throw new AppError(
      'NOT_FOUND',
      'The events of this task are gone: its transcript artifact was deleted. GET /v2/tasks/{id} still shows the task.',
    );
  }
}
