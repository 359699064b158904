import type { EngineError, EngineSink, EngineStream, EngineUsage } from '../engine-adapter.port.js';
import type { Outbox, Source } from './outbox.js';
import { sentError } from './thread-messages.js';

/** A run in the thread: puts what its adapter tells into the outbox, and is held back by the process as well as by a full outbox. */
export class ServedRun implements EngineSink, Source {
  private readonly abortion = new AbortController();
  private stream: EngineStream | null = null;
  private hasAnswered = false;
  private isOver = false;
  private isPaused = false;
  private isHeld = false;

  /** @param onOver called once, when nothing more comes */
  constructor(
    readonly id: number,
    private readonly outbox: Outbox,
    private readonly onOver: (id: number) => void,
  ) {}

  /** @param submit starts the work */
  start(submit: (sink: EngineSink, signal: AbortSignal) => EngineStream): void {
    const stream = submit(this, this.abortion.signal);
    if (this.isOver) return;
    this.stream = stream;
    // It may have filled the outbox before its stream could be held.
    if (this.isStopped) stream.pause();
  }

  onToken(text: string): void {
    this.outbox.text(this, text, !this.hasAnswered);
    this.hasAnswered = true;
  }

  onPrompt(tokensIn: number): void {
    this.outbox.tell(this.id, { kind: 'prompt', tokensIn });
  }

  onEnd(usage: EngineUsage): void {
    this.finish();
    this.outbox.tell(this.id, { kind: 'end', usage });
  }

  onError(error: EngineError): void {
    this.finish();
    this.outbox.tell(this.id, { kind: 'error', error: sentError(error) });
  }

  /** Nobody listens any more. */
  abort(): void {
    this.finish();
    this.abortion.abort();
  }

  pause(): void {
    this.change(true, this.isHeld);
  }

  resume(): void {
    this.change(false, this.isHeld);
  }

  hold(): void {
    this.change(this.isPaused, true);
  }

  goOn(): void {
    this.change(this.isPaused, false);
  }

  private finish(): void {
    this.isOver = true;
    // Held or not, it is never let go on.
    this.stream = null;
    this.onOver(this.id);
  }

  private get isStopped(): boolean {
    return this.isPaused || this.isHeld;
  }

  private change(isPaused: boolean, isHeld: boolean): void {
    const before = this.isStopped;
    this.isPaused = isPaused;
    this.isHeld = isHeld;
    if (before === this.isStopped) return;
    if (before) this.stream?.resume();
    else this.stream?.pause();
  }
}
