import { encodeFrame } from './frames.js';

/** What a log is opened with. */
export interface OpenLog {
  readonly taskId: string;
  /** The number that its attempts follow. */
  readonly attempts: number;
  /** JSON the worker needs to run the task. */
  readonly request: string;
  readonly startedFrame: string;
  /** Hub whose readers follow from the start. */
  readonly hubId: string | null;
  /** Further fields of the run record: names and values in turn. */
  readonly marks?: readonly string[] | undefined;
  /** For a log that Redis has lost: its readers may have seen ids up to this one. */
  readonly floorId?: number | undefined;
}

/** The arguments of open-log.lua that are about one log. */
export function openArguments(log: OpenLog): (string | number)[] {
  const { attempts, hubId, request, floorId = 0, marks = [] } = log;
  return [attempts, hubId ?? '', request, withoutHead(log), floorId, marks.length, ...marks];
}

/** Event 1 as first-event.lua keeps it. */
function withoutHead({ taskId, startedFrame }: OpenLog): string {
  const head = encodeFrame(1, 'started', `{"task_id":"${taskId}`).trimEnd();
  return startedFrame.startsWith(head) ? startedFrame.slice(head.length) : startedFrame;
}
