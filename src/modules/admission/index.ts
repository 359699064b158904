export { batchShare } from './batch-share.js';
export { Deadlines, deadlinesKey } from './deadlines.js';
export { LineGauge } from './line-gauge.js';
export { PoolQueues } from './pool-queues.js';
export { estimateRun, estimateStart, onTimeProbability, type Estimate, type StartEstimate } from './estimate-start.js';
export {
  lineKeys,
  shareArgs,
  type EntryOutcome,
  type LineBounds,
  type LineEntry,
  type LineView,
  type OverdueShare,
} from './entrance.js';
export { Line, startOrderLua, type LineDepth } from './line.js';
export { droppedKey, lineSequenceKey, lineKeeperKey } from './line-keys.js';
export { PoolQueue, queueNameOf, queuePrefix, type PoolJob, type PoolJobName } from './pool.queue.js';
