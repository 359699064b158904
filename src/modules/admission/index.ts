export { Deadlines } from './deadlines.js';
export { LineGauge, type LineDepth } from './line-gauge.js';
export { PoolQueues } from './pool-queues.js';
export { estimateStartMs, type StartFacts } from './estimate-start.js';
export { Line, lineKeys, type EntryOutcome, type LineBounds, type LineEntry, type LineView } from './line.js';
export { PoolQueue, queueNameOf, queuePrefix, type PoolJob } from './pool.queue.js';
