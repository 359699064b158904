import { settleEach, type Settler } from '../gathering/settle-each.js';
import { atTurnsEnd } from '../gathering/turns-end.js';

interface Gathering<About, Item, Result> {
  readonly about: About;
  readonly items: Item[];
  readonly settlers: Settler<Result>[];
}

/**
 * Lets what one turn of the event loop asks for share trips to Redis: calls of the same kind go out together, in their order, as soon as they
 * are as many as may be, and the rest when the turn (or what is given as `later`) is over. Each gets its own answer; an error is everybody's.
 */
export class GatheredCalls<About, Item, Result> {
  private readonly open = new Map<string, Gathering<About, Item, Result>>();

  /**
   * @param send makes one trip for all items; answers in their order
   * @param mostItems of one trip: Redis works on them while the turn makes the next
   * @param later how the rest is left for later
   */
  constructor(
    private readonly send: (about: About, items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly mostItems: number,
    private readonly later: (task: () => void) => void = atTurnsEnd,
  ) {}

  /** @param kind names `about`: calls that have it in common may go out together */
  add(kind: string, about: About, item: Item): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const gathering = this.open.get(kind) ?? this.begin(kind, about);
      gathering.items.push(item);
      gathering.settlers.push({ resolve, reject });
      if (gathering.items.length === this.mostItems) this.flush(kind, gathering);
    });
  }

  private begin(kind: string, about: About): Gathering<About, Item, Result> {
    const gathering = { about, items: [], settlers: [] };
    this.open.set(kind, gathering);
    this.later(() => this.flush(kind, gathering));
    return gathering;
  }

  private flush(kind: string, gathering: Gathering<About, Item, Result>): void {
    // It was full before the turn was over; the next one of its kind may be open by now.
    if (this.open.get(kind) !== gathering) return;
    this.open.delete(kind);
    const { about, items, settlers } = gathering;
    void settleEach(this.send(about, items), settlers, 'a gathered call');
  }
}
