export { batchShare } from './batch-share.js';
export { Deadlines, deadlinesKey } from './deadlines.js';
export { LineGauge } from './line-gauge.js';
export { PoolQueues } from './pool-queues.js';
export { estimateRun, estimateStart, onTimeProbability, type Estimate, type StartEstimate } from './estimate-start.js';
export {
  Line,
  lineKeys,
  shareArgs,
  startOrderLua,
  type EntryOutcome,
  type LineBounds,
  type LineDepth,
  type LineEntry,
  type LineView,
  type OverdueShare,
} from './line.js';
export { droppedKey, lineSequenceKey, lineKeeperKey } from './line-keys.js';
export { PoolQueue, queueNameOf, queuePrefix, type PoolJob, type PoolJobName } from './pool.queue.js';
