/** Probability that a standard normal number is at most z. Zelen and Severo 1964 (Abramowitz and Stegun 26.2.17), good to 7.5e-8. */
export function normalDistribution(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const tail =
    Math.exp((-z * z) / 2) *
    0.3989422804014327 *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z >= 0 ? 1 - tail : tail;
}

/** Mean and variance of a duration. */
export interface Spread {
  readonly mean: number;
  readonly variance: number;
}

/** The lognormal of that mean and variance: `middle` and `width` are mean and standard deviation of the logarithm. */
export function lognormalOf({ mean, variance }: Spread): { readonly middle: number; readonly width: number } {
  const width2 = Math.log(1 + variance / (mean * mean));
  return { middle: Math.log(mean) - width2 / 2, width: Math.sqrt(width2) };
}
