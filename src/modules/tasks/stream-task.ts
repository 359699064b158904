import type { ServerResponse } from 'node:http';
import { AppError } from '../../platform/errors/app-error.js';
import { SseConnection, type EventHub, type EventLog, type Follower, type LogChunk } from '../events/index.js';
import { isFinal } from './task-state.js';
import type { TasksRepository } from './tasks.repository.js';
import type { TranscriptLogs } from './transcript-logs.js';

export interface StreamOptions {
  /** Events above this id are sent. */
  readonly afterId: number;
  readonly verbose: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** Streams a task's events to one reader as server-sent events; many readers may follow one task, from any process. */
export class StreamTask {
  private readonly open = new Set<SseConnection>();
  private readonly timer: NodeJS.Timeout;
  private hasStopped = false;

  constructor(
    private readonly hub: EventHub,
    private readonly tasks: TasksRepository,
    private readonly transcripts: TranscriptLogs,
    private readonly log: Pick<EventLog, 'forgetOpen'>,
    private readonly options: { readonly heartbeatMs: number; readonly bufferBytes: number },
  ) {
    this.timer = setInterval(() => {
      for (const connection of this.open) connection.heartbeat();
    }, options.heartbeatMs);
    this.timer.unref();
  }

  /** Names this process to whoever opens a log that is to be followed from its start. */
  get hubId(): string {
    return this.hub.id;
  }

  /** Rejects with NOT_FOUND before anything is written, also when the transcript was deleted; then the stream is the answer. */
  async run(
    taskId: string,
    response: ServerResponse,
    options: StreamOptions & { readonly onStart: () => void },
  ): Promise<void> {
    const state = await this.tasks.stateOf(taskId);
    if (state === null) throw new AppError('NOT_FOUND', 'There is no task of that id.');
    await this.transcripts.assertKept(state);
    // Else this reader would wait for an end that nobody writes.
    if (isFinal(state.state)) await this.log.forgetOpen(taskId);
    options.onStart();
    if (response.destroyed) return;
    this.attach(taskId, response, options, state.cancelOnDisconnect);
  }

  /** Begins the stream of a task that is known to exist. @param started event 1, when the log was opened just now for this reader */
  attach(
    taskId: string,
    response: ServerResponse,
    options: StreamOptions,
    cancelOnLeave: boolean,
    started: LogChunk | null = null,
  ): void {
    let follower: Follower | null = null;
    const { bufferBytes } = this.options;
    const onGone = (): void => {
      this.open.delete(connection);
      follower?.leave();
    };
    const connection = new SseConnection(response, { verbose: options.verbose, bufferBytes, onGone }, options.headers);
    if (this.hasStopped) {
      connection.cut();
      return;
    }
    this.open.add(connection);
    const sink = {
      write: connection.write.bind(connection),
      drained: connection.drained.bind(connection),
      end: (): void => {
        this.open.delete(connection);
        connection.end();
      },
    };
    follower = this.hub.follow(taskId, { afterId: options.afterId, cancelOnLeave }, sink);
    if (started === null) follower.begin();
    else follower.beginLive(started);
  }

  /** Cuts every stream, also of requests that are still on their way in: this process stops, and readers resume at another. */
  stop(): void {
    this.hasStopped = true;
    clearInterval(this.timer);
    for (const connection of this.open) connection.cut();
  }
}
