import type { EngineSink } from '../engine-adapter.port.js';

/**
 * For engines whose output ends with the stop text it met: takes that text away, also where it came in several tokens. What could still
 * become a stop text is held back until it is known not to.
 * @param stops texts that end the output; none: the sink itself
 */
export function withoutStops(sink: EngineSink, stops: readonly string[] | undefined): EngineSink {
  if (stops === undefined || stops.length === 0) return sink;
  const trim = new StopTrim(stops);
  const release = (): void => {
    const rest = trim.rest();
    if (rest !== '') sink.onToken(rest);
  };
  return {
    onToken: (text) => {
      const free = trim.push(text);
      if (free !== '') sink.onToken(free);
    },
    onPrompt: (tokensIn) => sink.onPrompt(tokensIn),
    onEnd: (usage) => {
      release();
      sink.onEnd(usage);
    },
    onError: (error) => {
      release();
      sink.onError(error);
    },
  };
}

class StopTrim {
  private held = '';
  private hasStopped = false;

  constructor(private readonly stops: readonly string[]) {}

  /** What of the text so far is certain to be output, and was not given yet. */
  push(text: string): string {
    if (this.hasStopped) return '';
    const all = this.held + text;
    const at = cutAt(all, this.stops);
    if (at !== null) {
      this.hasStopped = true;
      this.held = '';
      return all.slice(0, at);
    }
    const keep = Math.max(...this.stops.map((stop) => overlap(all, stop)));
    this.held = all.slice(all.length - keep);
    return all.slice(0, all.length - keep);
  }

  /** What was held back in vain. */
  rest(): string {
    const { held } = this;
    this.held = '';
    return held;
  }
}

/** Where the stop text begins that is complete first, of several the longest; null: there is none. */
function cutAt(text: string, stops: readonly string[]): number | null {
  let first: { readonly at: number; readonly end: number } | null = null;
  for (const stop of stops) {
    const at = text.indexOf(stop);
    const end = at + stop.length;
    if (at >= 0 && (first === null || end < first.end || (end === first.end && at < first.at))) first = { at, end };
  }
  return first?.at ?? null;
}

/** Length of the longest end of `text` that `stop` begins with, short of all of it. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length -= 1)
    if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}
