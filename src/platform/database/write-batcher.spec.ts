import { setImmediate as tick } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { WriteBatcher } from './write-batcher.js';

interface Statement {
  readonly items: readonly number[];
  succeed(results?: readonly (string | undefined)[]): void;
  fail(): void;
}

/** A database whose statements the test ends by hand. */
class SlowDatabase {
  readonly statements: Statement[] = [];
  readonly write = (items: readonly number[]): Promise<readonly string[]> =>
    new Promise((resolve, reject) => {
      const results = items.map((item) => `wrote ${item}`);
      this.statements.push({
        items,
        succeed: (given = results) => resolve(given as readonly string[]),
        fail: () => reject(new Error('database is away')),
      });
    });

  get batches(): (readonly number[])[] {
    return this.statements.map(({ items }) => items);
  }
}

function setUp(options = { maxItems: 3, parallel: 1 }): {
  database: SlowDatabase;
  batcher: WriteBatcher<number, string>;
} {
  const database = new SlowDatabase();
  return { database, batcher: new WriteBatcher(database.write, options) };
}

describe('batching writes', () => {
  it('sends what is asked for at once in one statement, and answers each caller', async () => {
    const { database, batcher } = setUp();
    const answers = Promise.all([1, 2].map((item) => batcher.add(item)));
    await tick();
    expect(database.batches).toEqual([[1, 2]]);
    database.statements[0]!.succeed();
    expect(await answers).toEqual(['wrote 1', 'wrote 2']);
  });

  it('gathers what comes while a statement is under way, up to the limit', async () => {
    const { database, batcher } = setUp();
    const all = [batcher.add(0)];
    await tick();
    all.push(...[1, 2, 3, 4].map((item) => batcher.add(item)));
    await tick();
    expect(database.batches).toEqual([[0]]);
    database.statements[0]!.succeed();
    await tick();
    expect(database.batches).toEqual([[0], [1, 2, 3]]);
    database.statements[1]!.succeed();
    await tick();
    database.statements[2]!.succeed();
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4].map((item) => `wrote ${item}`));
  });

  it('keeps no more statements under way than allowed', async () => {
    const { database, batcher } = setUp({ maxItems: 1, parallel: 2 });
    const all = [1, 2, 3].map((item) => batcher.add(item));
    await tick();
    expect(database.batches).toEqual([[1], [2]]);
    database.statements[1]!.succeed();
    await tick();
    expect(database.batches).toEqual([[1], [2], [3]]);
    for (const statement of database.statements) statement.succeed();
    await Promise.all(all);
  });

  it('fails the callers of a failed statement only, and goes on', async () => {
    const { database, batcher } = setUp({ maxItems: 1, parallel: 1 });
    const [first, second] = [batcher.add(1), batcher.add(2)];
    await tick();
    database.statements[0]!.fail();
    await expect(first).rejects.toThrow('database is away');
    await tick();
    database.statements[1]!.succeed();
    expect(await second).toBe('wrote 2');
    const third = batcher.add(3);
    await tick();
    database.statements[2]!.succeed();
    expect(await third).toBe('wrote 3');
  });

  it('fails a write that was left without an answer', async () => {
    const { database, batcher } = setUp();
    const [first, second] = [batcher.add(1), batcher.add(2)];
    await tick();
    database.statements[0]!.succeed(['wrote 1']);
    expect(await first).toBe('wrote 1');
    await expect(second).rejects.toThrow('without an answer');
  });
});
