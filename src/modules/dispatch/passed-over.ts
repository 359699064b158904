const firstPauseMs = 500;

/** The replicas that a task has failed on: passed over for good, or for a while that doubles each time. */
export class PassedOver {
  private readonly untilMs = new Map<string, number>();
  private pauses = 0;

  /** It is not asked again. */
  forGood(replicaId: string): void {
    this.untilMs.set(replicaId, Number.POSITIVE_INFINITY);
  }

  /** It may be asked again when it is back, after others. */
  forAWhile(replicaId: string, nowMs: number): void {
    this.untilMs.set(replicaId, nowMs + firstPauseMs * 2 ** this.pauses);
    this.pauses += 1;
  }

  at(nowMs: number): ReadonlySet<string> {
    return new Set([...this.untilMs].flatMap(([id, untilMs]) => (untilMs > nowMs ? [id] : [])));
  }
}
