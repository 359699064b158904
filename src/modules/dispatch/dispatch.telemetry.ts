import type { OpenCircuit } from '../../engines/circuit.js';
import { narrate, type Log } from '../../platform/observability/logger.js';
import type { Metrics } from '../../platform/observability/metrics.js';
import { begunBy, type CloseOutcome } from '../events/index.js';
import type { DecodeFacts } from './decode.js';
import { labelsOf } from './labels.js';
import type { RunView } from './run-view.js';

/** What running tasks counts and tells: the metric and the log line of a business event together. */
export class DispatchTelemetry {
  constructor(
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  started(run: RunView): void {
    this.metrics.taskStarted(labelsOf(run), run.claim.request.priority);
    const again = begunBy(run.claim.attempt) > 1 ? ' once more' : '';
    this.tell(run, 'task started', `A worker began the task${again}: a slot was free.`, {});
  }

  /** Counts, and gives the sentence for verbose readers. */
  firstToken(run: RunView, firstTokenMs: number): string {
    const { engine, engineVersion, poolId } = labelsOf(run);
    this.metrics.firstTokenAfter({ engine, engineVersion, poolId, priority: run.claim.request.priority }, firstTokenMs);
    return `The engine answered its first token after ${firstTokenMs} ms.`;
  }

  ended(
    run: RunView,
    outcome: Pick<Extract<CloseOutcome, { kind: 'closed' }>, 'tokensIn' | 'tokensOut' | 'decodeTimeMs'>,
    facts: DecodeFacts,
  ): void {
    const labels = labelsOf(run);
    const { engine, engineVersion, poolId } = labels;
    this.metrics.tokensCounted(labels, outcome.tokensIn, outcome.tokensOut);
    const decodeMs = facts.firstTokenMs === null ? outcome.decodeTimeMs : outcome.decodeTimeMs - facts.firstTokenMs;
    this.metrics.decodedWithin(
      { engine, engineVersion, poolId, priority: run.claim.request.priority },
      Math.max(0, decodeMs),
    );
    this.tell(run, 'task ended', `The task ended after ${outcome.tokensOut} tokens in ${outcome.decodeTimeMs} ms.`, {
      tokens_in: outcome.tokensIn,
      tokens_out: outcome.tokensOut,
      decode_time_ms: outcome.decodeTimeMs,
      first_token_ms: facts.firstTokenMs,
    });
  }

  /** A task that has begun to answer goes on. */
  continued(run: RunView, way: 'repeat' | 'longer-prompt'): void {
    const human = 'A task goes on where its answer was broken off.';
    this.tell(run, 'task continued', human, { way, tokens_out: run.claim.tokens });
  }

  /** A task that has begun to answer lost its engine or its worker here. */
  brokenOff(run: RunView, tokens: number, reason: string): void {
    const human = 'An answer was broken off: the task waits for another replica or worker.';
    this.log.warn({ ...fieldsOf(run), tokens_out: tokens, reason, human }, 'task broken off');
  }

  replicaFailed(run: RunView, reason: string): void {
    this.log.warn({ ...fieldsOf(run), reason, human: 'An engine failed before its first token.' }, 'replica failed');
  }

  /** No engine was there to answer it. */
  backInLine(run: RunView, reason: string): void {
    const human = 'A task waits in line again: its engine was gone before it had answered anything.';
    this.log.warn({ ...fieldsOf(run), reason, human }, 'task back in line');
  }

  /** A circuit was opened or closed by what happened here. */
  circuitChanged(poolId: string, replicaId: string, circuit: OpenCircuit | null): void {
    const fields = { pool_id: poolId, replica_id: replicaId };
    if (circuit === null) {
      narrate(this.log, 'circuit closed', 'An engine that kept failing has answered: it gets tasks again.', fields);
      return;
    }
    const { reason, trips, untilMs } = circuit;
    const human = 'An engine keeps failing: it gets no tasks for a while.';
    this.log.warn({ ...fields, reason, trips, until: new Date(untilMs).toISOString(), human }, 'circuit open');
  }

  leftToReconciler(taskId: string, error: unknown): void {
    this.log.warn(
      { job_id: taskId, err: error, human: 'A task ended; its record will follow.' },
      'settling is delayed',
    );
  }

  private tell(run: RunView, event: string, human: string, fields: Record<string, unknown>): void {
    if (this.log.isLevelEnabled('info')) narrate(this.log, event, human, { ...fieldsOf(run), ...fields });
  }
}

function fieldsOf(run: RunView) {
  const { engine, engineVersion, poolId, replicaId } = labelsOf(run);
  return {
    correlation_id: run.correlationId,
    job_id: run.taskId,
    engine,
    engine_version: engineVersion,
    pool_id: poolId,
    replica_id: replicaId,
  };
}
