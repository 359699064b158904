import { settleEach, type Settler } from '../gathering/settle-each.js';

/**
 * Lets concurrent writes share one round trip: what is asked for while a statement is under way goes out together in the next. A write's
 * promise settles with its statement; one bad write fails its whole batch, so callers pass only what the database will take.
 */
export class WriteBatcher<Item, Result> {
  private waiting: (Settler<Result> & { readonly item: Item })[] = [];
  private inFlight = 0;

  /**
   * @param write runs one statement for all items; answers in their order
   * @param options.maxItems most items of one statement
   * @param options.parallel statements under way at once
   */
  constructor(
    private readonly write: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly options: { readonly maxItems: number; readonly parallel: number },
  ) {}

  add(item: Item): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (this.waiting.length === 1) setImmediate(() => this.flush());
    });
  }

  private flush(): void {
    while (this.waiting.length > 0 && this.inFlight < this.options.parallel) {
      const batch = this.waiting.splice(0, this.options.maxItems);
      this.inFlight += 1;
      const written = this.write(batch.map(({ item }) => item));
      void settleEach(written, batch, 'a batched write').finally(() => {
        this.inFlight -= 1;
        this.flush();
      });
    }
  }
}
