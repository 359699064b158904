export type { EndedLogs } from './ended-logs.port.js';
export { attemptsAfterLoss, begunBy } from './attempt-numbers.js';
export { EventArchiveRepository } from './event-archive.repository.js';
export { EventHub } from './event-hub.js';
export { closedChannel, eventLogKey, hubChannelPrefix, runRecordKey } from './event-keys.js';
export {
  EventLog,
  firstEventLua,
  runningFence,
  type CloseOutcome,
  type Standing,
  type WaitingFrame,
} from './event-log.js';
export type { Follower, FollowerSink } from './follower.js';
export {
  encodeFrame,
  endTemplate,
  endWithResult,
  errorTemplate,
  metricsTemplate,
  type EventName,
  type FrameTemplate,
  type TerminalFrame,
} from './frames.js';
export { LogAppender } from './log-appender.js';
export { LogChunk } from './log-chunk.js';
export { RunLogWriter, type RunLogStart, type RunLogWatcher } from './run-log-writer.js';
export { SseConnection } from './sse-connection.js';
export { textOfTokens } from './token-text.js';
