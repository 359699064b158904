const buckets = 10;

interface Bucket {
  epoch: number;
  succeeded: number;
  failed: number;
}

/** How often something went well or badly within the last `windowMs`, to a tenth of it; costs the same however often it happens. */
export class OutcomeWindow {
  private readonly ring: Bucket[] = Array.from({ length: buckets }, () => ({ epoch: -1, succeeded: 0, failed: 0 }));
  private readonly bucketMs: number;

  constructor(windowMs: number) {
    this.bucketMs = Math.max(1, windowMs / buckets);
  }

  /** @param nowMs Unix ms */
  add(nowMs: number, hasSucceeded: boolean): void {
    const epoch = Math.floor(nowMs / this.bucketMs);
    const bucket = this.ring[epoch % buckets];
    if (bucket === undefined) return;
    if (bucket.epoch !== epoch) Object.assign(bucket, { epoch, succeeded: 0, failed: 0 });
    if (hasSucceeded) bucket.succeeded += 1;
    else bucket.failed += 1;
  }

  /** Sums of the buckets that the window reaches into now. */
  counts(nowMs: number): { readonly succeeded: number; readonly failed: number } {
    const oldest = Math.floor(nowMs / this.bucketMs) - buckets;
    let succeeded = 0;
    let failed = 0;
    for (const bucket of this.ring) {
      if (bucket.epoch <= oldest) continue;
      succeeded += bucket.succeeded;
      failed += bucket.failed;
    }
    return { succeeded, failed };
  }

  clear(): void {
    for (const bucket of this.ring) bucket.epoch = -1;
  }
}
