import { expect, it } from 'vitest';
import { taskExamples, taskRequest } from '../../contract/task-request.js';
import { unmeasured, type LivePool } from '../pools/index.js';
import { newTask, type Draft } from './draft.js';

const pool = {
  config: {
    id: 'p',
    engine: { id: 'mock' },
    admission: { start_hint_ms: 1000, batch_share: 0 },
    queue: { capacity: 100 },
  },
  replicas: [],
  slots: 1,
  perf: unmeasured,
  running: [],
} as unknown as LivePool;
const view = {
  position: 2,
  waiting: { interactive: 2, batch: 0 },
  tokens: { interactive: 20, batch: 0 },
  busySlots: 1,
};
const draft = {
  taskId: 't',
  hash: '',
  request: taskRequest.parse({ ...taskExamples.completion, deadline_ms: 9000 }),
  decision: { kind: 'assigned', poolId: 'p', pinned: false, fallback: false, reasons: [], candidates: [] },
  pool,
  context: { correlationId: 'c', identity: 'i', hubId: null, rate: null, idField: 'task_id' },
  home: null,
  admitted: null,
  foreseen: { view, start: { medianMs: 42, p90Ms: 43, model: null, isKnown: true } },
} as unknown as Draft;

it('tells what its deadline was judged by, unless the line has become another', () => {
  const told = (found: typeof view): number => newTask(draft, found, null, 0).admission.predicted_start_ms;
  expect(told({ ...view })).toBe(42);
  expect(told({ ...view, position: 3 })).toBe(4000);
  expect(told({ ...view, tokens: { interactive: 21, batch: 0 } })).toBe(3000);
});
