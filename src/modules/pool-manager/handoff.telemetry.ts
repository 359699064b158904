import { redacted } from '../../engines/redact.js';
import type { Log } from '../../platform/observability/logger.js';
import type { Handoff } from './handoff.js';

/** What the watcher of handoffs tells. */
export class HandoffTelemetry {
  constructor(private readonly log: Log) {}

  /** @param before what stood there until now; null: nothing. The same again is not told. */
  bound(handoff: Handoff, before: Handoff | null): void {
    const { pool_id, replica_id, engine } = handoff;
    const fields = { pool_id, replica_id, engine, engine_version: handoff.engine_version ?? null };
    if (before === null) {
      const human = 'An engine was handed over by a file; it gets tasks once it has been tested.';
      this.log.info({ ...fields, human }, 'handoff bound');
    } else if (before.url !== handoff.url || before.engine_version !== handoff.engine_version) {
      const change = {
        url_before: redacted(before.url),
        url: redacted(handoff.url),
        engine_version_before: before.engine_version ?? null,
      };
      const human = 'A handoff file names another engine than before: streams that run stay where they are.';
      this.log.warn({ ...fields, ...change, human }, 'handoff changed');
    }
  }

  unbound({ pool_id, replica_id }: Handoff): void {
    const human = 'A handoff file is gone: its engine gets no more tasks.';
    this.log.info({ pool_id, replica_id, human }, 'handoff unbound');
  }

  ignored(file: string, problem: string): void {
    this.log.warn({ file, problem, human: `A handoff file is ignored: ${problem}.` }, 'handoff ignored');
  }

  watchFailed(error: unknown): void {
    const human = 'The folder of handoff files can not be read; trying again.';
    this.log.warn({ err: error, human }, 'handoffs are out of reach');
  }
}
