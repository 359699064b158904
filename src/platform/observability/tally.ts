import { Counter, register } from 'prom-client';

/**
 * A counter for what happens thousands of times a second: to count is an addition, and the labels are hashed when somebody reads. Two of one
 * name in a process count into the same series.
 */
export class Tally<Label extends string> {
  private static readonly known = new Map<string, Map<string, { readonly labels: object; count: number }>>();
  private readonly counts: Map<string, { readonly labels: object; count: number }>;

  constructor(name: string, help: string, labelNames: readonly Label[]) {
    const counts = Tally.known.get(name) ?? new Map<string, { readonly labels: object; count: number }>();
    Tally.known.set(name, counts);
    this.counts = counts;
    if (register.getSingleMetric(name) !== undefined) return;
    const counter: Counter = new Counter({
      name,
      help,
      labelNames,
      collect: () => {
        for (const [key, { labels, count }] of counts) {
          counter.inc(labels, count);
          counts.delete(key);
        }
      },
    });
  }

  /** @param key tells the labels apart @param labels asked for when there is none of that key yet */
  count(key: string, labels: () => Readonly<Record<Label, string>>): void {
    const known = this.counts.get(key);
    if (known === undefined) this.counts.set(key, { labels: labels(), count: 1 });
    else known.count += 1;
  }
}
