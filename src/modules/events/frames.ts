import type { EndEvent, MetricsEvent, TaskError } from '../../contract/events.js';

/**
 * Frames of server-sent events (WHATWG HTML §9.2.6). JSON text never holds a raw line break, so one `data:` line carries it whole and a
 * blank line ends the frame.
 */
export type EventName = 'started' | 'token' | 'metrics' | 'end' | 'error';

/** A whole frame. @param id the event's number within its task */
export function encodeFrame(id: number, event: EventName, json: string): string {
  return `id: ${id}\nevent: ${event}\ndata: ${json}\n\n`;
}

/** A token's frame: the hot path, only the text itself is escaped. */
export function encodeToken(id: number, index: number, text: string): string {
  return `id: ${id}\nevent: token\ndata: {"t":${JSON.stringify(text)},"i":${index}}\n\n`;
}

/** A frame as plain and as verbose readers see it; of a template, what follows `id: <n>\n`. */
export interface FrameTemplate {
  readonly plain: string;
  readonly verbose: string;
}

export function encodeMetrics(id: number, data: MetricsEvent): FrameTemplate {
  const { plain, verbose } = metricsTemplate(data);
  return { plain: `id: ${id}\n${plain}`, verbose: `id: ${id}\n${verbose}` };
}

/** What follows `id: <n>\n` in a metrics frame, for logs whose next id only Redis knows. */
export function metricsTemplate({ human, ...rest }: MetricsEvent): FrameTemplate {
  const template = (data: MetricsEvent): string => `event: metrics\ndata: ${JSON.stringify(data)}\n\n`;
  const plain = template(rest);
  return { plain, verbose: human === undefined ? plain : template({ ...rest, human }) };
}

/** What follows `id: <n>\n` in an `end` frame. Numbers not given here are filled in where the log is closed (close-log.lua). */
export function endTemplate(
  end: Pick<EndEvent, 'finish_reason' | 'canceled' | 'artifact_id'>,
  usage?: { readonly tokensIn: number; readonly tokensOut: number },
): string {
  const rest = JSON.stringify(end).slice(1, -1);
  const counts = `"tokens_in":${usage?.tokensIn ?? '{in}'},"tokens_out":${usage?.tokensOut ?? '{out}'}`;
  return `event: end\ndata: {${counts},"decode_time_ms":{decode},"decode_ms":{decode},"first_token_ms":{first},${rest},"kv_warmth":{warm}}\n\n`;
}

/** A terminal frame whose `rest` has no blanks to fill in, and may be long. */
export type TerminalFrame = string | { readonly template: string; readonly rest: string };

/** What follows `id: <n>\n` in the `end` frame of work that ends in a result. @param json the result, on one line */
export function endWithResult(...[end, usage, json]: [...Parameters<typeof endTemplate>, string]): TerminalFrame {
  return { template: endTemplate(end, usage).slice(0, -'}\n\n'.length), rest: `,"result":${json}}\n\n` };
}

/** What follows `id: <n>\n` in an `error` frame. Braces around a lone word would read as a blank to fill in, so they are escaped. */
export function errorTemplate(error: TaskError): string {
  return `event: error\ndata: ${JSON.stringify(error).replaceAll(/\{([a-z]+)\}/g, String.raw`\u007b$1\u007d`)}\n\n`;
}
