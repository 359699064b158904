/** How a pool or a replica that can take a task stands among the others. */
export interface Standing {
  readonly id: string;
  /** Whether the task's session ran there last. */
  readonly isHome: boolean;
  /** When the task would be done there, ms from now; null: unknown, then of all of them. */
  readonly completionMs: number | null;
  /** Nothing was measured there: `completionMs` is a guess. */
  readonly isGuess: boolean;
  /** No slot is free. */
  readonly isBusy: boolean;
  readonly vramFreeBytes: number | null;
  /** Tasks that run or wait there, by slot. */
  readonly load: number;
}

interface Criterion {
  /** Below zero: `a` is better. A weak order: it never depends on a third one. */
  readonly compare: (a: Standing, b: Standing) => number;
  /** In words, what the better one has. */
  readonly merit: (better: Standing) => string;
}

/** Cards of a kind never have the very same memory free; less than this does not make a difference. */
const vramStepBytes = 2 ** 30;

const criteria: readonly Criterion[] = [
  {
    compare: (a, b) => Number(b.isHome) - Number(a.isHome),
    merit: () => 'the session ran there last',
  },
  {
    compare: (a, b) => ascending(a.completionMs ?? Infinity, b.completionMs ?? Infinity),
    merit: ({ completionMs, isGuess }) =>
      isGuess
        ? 'nothing was measured there yet, and the others are busy'
        : `it is predicted to finish first, in about ${Math.round(completionMs ?? 0)} ms`,
  },
  { compare: (a, b) => Number(a.isGuess) - Number(b.isGuess), merit: () => 'its speed is known' },
  { compare: (a, b) => Number(a.isBusy) - Number(b.isBusy), merit: () => 'it has a free slot' },
  { compare: (a, b) => ascending(roomOf(b), roomOf(a)), merit: () => 'it has the most free GPU memory' },
  { compare: (a, b) => ascending(a.load, b.load), merit: () => 'the smallest share of its slots is taken' },
  {
    compare: (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
    merit: () => 'it comes first by name, all else being equal',
  },
];

/** A total order of standings with different ids, best first: each criterion decides among those that are equal by the ones before it. */
export function compareStandings(a: Standing, b: Standing): number {
  for (const { compare } of criteria) {
    const sign = compare(a, b);
    if (sign !== 0) return sign;
  }
  return 0;
}

/** In words, what the better one of two has that the other has not. */
export function meritOver(better: Standing, other: Standing): string {
  return criteria.find(({ compare }) => compare(better, other) !== 0)?.merit(better) ?? '';
}

function roomOf({ vramFreeBytes }: Standing): number {
  return vramFreeBytes === null ? -1 : Math.floor(vramFreeBytes / vramStepBytes);
}

/** A difference would not do: infinite values make it NaN. */
function ascending(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
