import { SseFormatError } from './sse-reader.js';

/** The JSON object of one event. The reason of a failure says nothing of what was read: reasons are logged, and output never is. */
export function parseFrame(data: string): Readonly<Record<string, unknown>> {
  let frame: unknown;
  try {
    frame = JSON.parse(data);
  } catch {
    frame = null;
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame))
    throw new SseFormatError('the engine sent an event that is no JSON object');
  return frame as Readonly<Record<string, unknown>>;
}
