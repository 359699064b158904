/**
 * Whether `Accept` asks for the event stream in place of the answer as JSON (RFC 9110 §12.5.1): it must be named, and no less wanted than
 * JSON. `text/event-stream;q=0` is a refusal, and who names nothing but ranges (browsers, curl) means JSON.
 */
export function prefersEventStream(accept: string | undefined): boolean {
  const ranges = (accept ?? '').split(',').map(rangeOf);
  const stream = weightOf(ranges, ['text/event-stream']);
  return stream > 0 && stream >= weightOf(ranges, ['application/json', 'application/*', '*/*']);
}

interface MediaRange {
  readonly name: string;
  readonly weight: number;
}

function rangeOf(text: string): MediaRange {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => /^q *=/.test(parameter))?.split('=')[1];
  return { name, weight: weight === undefined ? 1 : Number(weight) || 0 };
}

/** The weight of the first of the names that is there: the most specific range counts. */
function weightOf(ranges: readonly MediaRange[], names: readonly string[]): number {
  for (const wanted of names) {
    const weights = ranges.filter(({ name }) => name === wanted).map(({ weight }) => weight);
    if (weights.length > 0) return Math.max(...weights);
  }
  return 0;
}
