const redrawMs = 100;
const plainEveryMs = 10_000;
const slowMs = 1000;

/** Shows long steps: on a terminal the line of a step is overwritten, elsewhere a line now and then. */
export class StepPrinter {
  private openStep: string | null = null;
  private printedMs = 0;
  private readonly startedMs = new Map<string, number>();

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly now: () => number,
  ) {}

  /** @param isPassing a later line about the same step may replace this one */
  show(step: string, text: string, isPassing: boolean): void {
    const now = this.now();
    const started = this.startedMs.get(step) ?? now;
    this.startedMs.set(step, started);
    const isSame = this.openStep === step;
    if (isPassing && isSame && now - this.printedMs < (this.out.isTTY ? redrawMs : plainEveryMs)) return;
    this.printedMs = now;
    const line = `• ${text.replaceAll('\n', '\n  ')}${now - started < slowMs ? '' : ` (${((now - started) / 1000).toFixed(1)} s)`}`;
    if (!this.out.isTTY) {
      this.out.write(`${line}\n`);
    } else {
      if (this.openStep !== null && !isSame) this.out.write('\n');
      this.out.write(`\r\u001b[2K${line}`);
    }
    this.openStep = step;
  }

  /** Ends the open line, so that something else can be printed. */
  end(): void {
    if (this.openStep !== null && this.out.isTTY) this.out.write('\n');
    this.openStep = null;
  }
}
