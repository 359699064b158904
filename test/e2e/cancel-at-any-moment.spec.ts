import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment, submit } from '../support/deployment.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';

/** Fewer than tasks at once: some are canceled while they wait. */
const slots = 32;
const tasksAtOnce = 50;
const rounds = 20;

const moment = fc.record({
  /** Tokens the first reader has seen before somebody cancels. 0: at once, whether it waits, is being claimed, or decodes. */
  tokensSeen: fc.oneof(fc.constant(0), fc.nat({ max: 30 })),
  write: fc.integer({ min: 1, max: 9 }),
  at: fc.constantFrom(0, 1),
  cancels: fc.integer({ min: 1, max: 2 }),
  resumesAfter: fc.nat({ max: 20 }),
});
type Moment = typeof moment extends fc.Arbitrary<infer Value> ? Value : never;

describe('canceling at random moments, two processes for clients and two workers', () => {
  let engine: ScriptedEngine;
  let all: Deployment;
  let apis: string[];

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots });
    engine.onRun = (run) => {
      const write = Number(/write (\d+)/.exec(run.prompt)?.[1] ?? 1);
      void (async () => {
        while (!run.isHungUp) {
          run.tokens(write);
          await new Promise((resolve) => setTimeout(resolve, 3));
        }
      })();
    };
    all = await Deployment.create({ engines: [engine.url] });
    const started = await Promise.all([
      all.start(['api']),
      all.start(['api']),
      all.start(['worker']),
      all.start(['worker']),
    ]);
    apis = started.slice(0, 2).map(({ url }) => url);
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
  });

  /** One task, canceled; checks what its readers saw on either process. */
  async function cancelOne({ tokensSeen, write, at, cancels, resumesAfter }: Moment): Promise<void> {
    const [here = '', there = ''] = at === 0 ? apis : apis.toReversed();
    const task = aTask();
    await submit(there, { ...task, prompt: `${task.prompt}, write ${write}` });
    const [reader, resumed] = await Promise.all([
      SseClient.read(here, task.task_id),
      SseClient.read(there, task.task_id, { lastEventId: resumesAfter }),
    ]);
    if (tokensSeen > 0) await reader.untilTokens(tokensSeen);
    const answers = await Promise.all(
      Array.from({ length: cancels }, (_, n) => cancel(n === 0 ? here : there, task.task_id)),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 204));
    const receipts = answers.map(({ headers }) => Number(headers.get('x-last-event-id')));
    expect(new Set(receipts).size).toBe(1);
    const events = await reader.untilEnd();
    const late = await SseClient.read(there, task.task_id);
    await Promise.all([resumed.untilEnd(), late.untilEnd()]);
    expect(expectWholeStream(events)).toMatchObject({
      id: receipts[0],
      event: 'end',
      data: { finish_reason: 'canceled' },
    });
    expect(late.frames).toBe(reader.frames);
    expect(resumed.events).toEqual(events.filter(({ id }) => id > resumesAfter));
  }

  it(`leaves no token above the receipt and one end, ${rounds * tasksAtOnce} times`, async () => {
    const moments = fc.array(moment, { minLength: tasksAtOnce, maxLength: tasksAtOnce });
    let seen = 0;
    await fc.assert(
      fc.asyncProperty(moments, async (those) => {
        await Promise.all(those.map(cancelOne));
        seen += those.length;
      }),
      { numRuns: rounds, endOnFailure: true },
    );
    expect(seen).toBe(rounds * tasksAtOnce);
  }, 120_000);

  it('lets go of every engine and slot', async () => {
    await Promise.all(engine.runs.map((run) => run.untilHungUp()));
    const free = async (): Promise<unknown> =>
      ((await call(`${apis[0]}/v2/pools/default`)).body as { slots: { free: number } }).slots.free;
    await expect.poll(free, { timeout: 10_000 }).toBe(slots);
  });
});
