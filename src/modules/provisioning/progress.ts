/** How far a long step is. A step reports `started` once, `running` at most a few times a second, and `done` once when it succeeds. */
export interface Progress {
  /** What is being done, for people: `download qwen.gguf`. */
  readonly what: string;
  readonly phase: 'started' | 'running' | 'done';
  readonly bytesDone: number;
  /** Null while the size is unknown. */
  readonly bytesTotal: number | null;
  readonly bytesPerSecond: number | null;
  /** Milliseconds left at the present rate. */
  readonly etaMs: number | null;
  readonly elapsedMs: number;
}

export type ProgressListener = (progress: Progress) => void;

/** Turns counts of bytes into progress reports: one every `everyMs` milliseconds at the most. */
export class ProgressMeter {
  private readonly startedMs: number;
  private reportedMs: number;
  private firstBytes: number;
  private bytesDone: number;

  constructor(
    private readonly what: string,
    private bytesTotal: number | null,
    private readonly listener: ProgressListener,
    private readonly everyMs = 500,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.startedMs = now();
    this.reportedMs = this.startedMs;
    this.firstBytes = 0;
    this.bytesDone = 0;
  }

  /** Says that the step begins, with what an earlier attempt left: those bytes do not count into the rate. */
  begin(bytesDone: number, bytesTotal: number | null): void {
    this.firstBytes = bytesDone;
    this.bytesDone = bytesDone;
    this.bytesTotal = bytesTotal;
    this.report('started');
  }

  /** The step has this many bytes in all. */
  reach(bytesDone: number): void {
    this.bytesDone = bytesDone;
    const now = this.now();
    if (now - this.reportedMs < this.everyMs) return;
    this.reportedMs = now;
    this.report('running');
  }

  finish(bytesDone: number): void {
    this.bytesDone = bytesDone;
    this.report('done');
  }

  private report(phase: Progress['phase']): void {
    const elapsedMs = Math.round(this.now() - this.startedMs);
    const moved = this.bytesDone - this.firstBytes;
    const rate = elapsedMs > 0 && moved > 0 ? Math.round((moved / elapsedMs) * 1000) : null;
    const left = this.bytesTotal === null ? null : Math.max(0, this.bytesTotal - this.bytesDone);
    this.listener({
      what: this.what,
      phase,
      bytesDone: this.bytesDone,
      bytesTotal: this.bytesTotal,
      bytesPerSecond: rate,
      etaMs: rate === null || left === null ? null : Math.round((left / rate) * 1000),
      elapsedMs,
    });
  }
}

/** One line for a terminal: `download qwen.gguf: 120 MB of 4.7 GB (3 %), 85.0 MB/s, 54 s left`. */
export function progressText(progress: Progress): string {
  const parts = [amountText(progress)].filter((part) => part !== null);
  if (progress.phase === 'running' && progress.bytesPerSecond !== null)
    parts.push(`${bytesText(progress.bytesPerSecond)}/s`);
  if (progress.phase === 'running' && progress.etaMs !== null) parts.push(`${durationText(progress.etaMs)} left`);
  if (progress.phase === 'done') parts.push(`done in ${durationText(progress.elapsedMs)}`);
  return parts.length === 0 ? progress.what : `${progress.what}: ${parts.join(', ')}`;
}

function amountText({ phase, bytesDone, bytesTotal }: Progress): string | null {
  if (phase === 'done') return bytesText(bytesDone);
  if (bytesTotal === null) return bytesDone === 0 ? null : bytesText(bytesDone);
  const percent = Math.min(100, Math.floor((bytesDone / Math.max(1, bytesTotal)) * 100));
  if (phase === 'started' && bytesDone === 0) return bytesText(bytesTotal);
  return `${bytesText(bytesDone)} of ${bytesText(bytesTotal)} (${percent} %)`;
}

/** Decimal units, as disks and networks are sold. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 60
    ? `${minutes} min ${Math.round((ms % 60_000) / 1000)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
