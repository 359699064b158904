import { beforeEach, describe, expect, it } from 'vitest';
import { BatchCount } from './batch-count.js';
import { Outbox, type Source } from './outbox.js';
import type { Batch } from './thread-messages.js';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
/** A source fills the outbox with one of these. */
const much = 'x'.repeat(1024 * 1024 + 1);

class NotingSource implements Source {
  readonly heard: string[] = [];
  constructor(readonly id: number) {}
  hold = (): void => void this.heard.push('hold');
  goOn = (): void => void this.heard.push('go on');
}

describe('what the thread has to tell', () => {
  let posted: Batch[];
  let count: BatchCount;
  let outbox: Outbox;
  const source = new NotingSource(7);

  beforeEach(() => {
    posted = [];
    source.heard.length = 0;
    count = new BatchCount();
    outbox = new Outbox((batch) => posted.push(batch), count);
  });

  /** A turn of the event loop with one text in it. */
  async function tell(text: string): Promise<void> {
    outbox.text(source, text, false);
    await turn();
  }

  it('goes out once a turn, in its order', async () => {
    outbox.tell(7, { kind: 'prompt', tokensIn: 3 });
    outbox.text(source, 'a', false);
    outbox.text(new NotingSource(8), 'b', true);
    outbox.text(source, 'c', false);
    await turn();
    await tell('d');
    expect(posted).toEqual([
      [7, { kind: 'prompt', tokensIn: 3 }, 7, 'a', 8, 'b', 7, 'c'],
      [7, 'd'],
    ]);
  });

  it('gathers while the process takes nothing, and goes on when it is told', async () => {
    for (const text of 'abcdefg') await tell(text);
    expect(posted).toHaveLength(4);
    expect(count.take()).toBe(true);
    outbox.goOn();
    await turn();
    expect(posted.slice(4)).toEqual([[7, 'e', 7, 'f', 7, 'g']]);
    expect(count.take()).toBe(false);
  });

  it('asks those who bring more than it may hold to wait, until that has gone out', async () => {
    for (const text of 'abcd') await tell(text);
    await tell(much);
    await tell('more');
    expect(source.heard).toEqual(['hold']);
    count.take();
    outbox.goOn();
    await turn();
    expect(source.heard).toEqual(['hold', 'go on']);
    expect(posted[4]).toEqual([7, much, 7, 'more']);
  });

  it('goes on counting when 32 bits have run over', () => {
    const cells = new Int32Array(count.memory);
    cells[0] = 2 ** 31 - 1;
    const before = 2 ** 31 - 1;
    expect(count.underWay(before + 2)).toBe(2);
    count.take();
    expect(count.underWay(before + 2)).toBe(1);
  });
});
