import { expect, it, vi } from 'vitest';
import { EngineError } from '../../engines/engine-adapter.port.js';
import { ConcludeRun, type ConclusionCollaborators } from './conclude-run.js';
import type { DecodeResult } from './decode.js';
import type { HeldSlot } from './held-slot.js';
import type { RunAttempt } from './run-attempt.js';

const lost: DecodeResult = { kind: 'lost', error: new EngineError('INVALID_PARAMS', 'refused') };
const late: DecodeResult = { kind: 'stopped', cause: 'deadline' };

it.each([
  ['lost', lost],
  ['too late', late],
])('ends no task that is %s before its row is there', async (_, result) => {
  let arrive = (): void => undefined;
  const row = new Promise<void>((resolve) => (arrive = resolve));
  const close = vi.fn<() => Promise<{ kind: 'missing' }>>().mockResolvedValue({ kind: 'missing' });
  const giveBack = vi.fn<HeldSlot['giveBack']>().mockResolvedValue();
  const markStopped = vi.fn<() => Promise<void>>().mockResolvedValue();
  const collaborators = { endTask: { close }, eventLog: { markStopped } } as unknown as ConclusionCollaborators;
  const slot = { giveBack } as unknown as HeldSlot;
  const conclusion = new ConcludeRun(collaborators, slot, new AbortController().signal);
  const attempt = {
    view: { taskId: 't', claim: { attempt: 1 }, lease: {}, pool: { config: { id: 'p', engine: {}, timeouts: {} } } },
    writer: { tokens: 0, flushed: async () => Promise.resolve(true) },
    start: { kind: 'fresh' },
    accepted: () => row,
  } as unknown as RunAttempt;
  const running = conclusion.run(attempt, result);
  await new Promise((resolve) => setImmediate(resolve));
  expect(close).not.toHaveBeenCalled();
  arrive();
  await running;
  expect(close).toHaveBeenCalledOnce();
});
