import type { Clock } from '../../platform/clock/clock.js';
import { circuitPhase, opened, type CircuitBoard, type CircuitPhase, type CircuitRules } from '../circuit.js';
import { OutcomeWindow } from './outcome-window.js';

/**
 * Judges one replica by what became of the tasks sent to it. What it counts is this process's own; whether the circuit is open lies on the
 * board, which all processes share. That only one task tries a half-open replica is not its business: such a replica has one slot
 * (pools/live-replica.ts), and slots are claimed exactly.
 */
export class Breaker {
  private readonly window: OutcomeWindow;
  private isRetired = false;

  constructor(
    private readonly replica: { readonly poolId: string; readonly replicaId: string },
    private readonly rules: CircuitRules,
    private readonly board: CircuitBoard,
    private readonly clock: Clock,
  ) {
    this.window = new OutcomeWindow(rules.windowMs);
  }

  get phase(): CircuitPhase {
    const { poolId, replicaId } = this.replica;
    return circuitPhase(this.board.of(poolId, replicaId), this.clock.now());
  }

  /** The engine answered. Closes a half-open circuit. */
  succeeded(): void {
    const { phase } = this;
    // What was sent before it opened says nothing of now.
    if (this.isRetired || phase === 'open') return;
    if (phase === 'half_open') this.close();
    this.window.add(this.clock.now(), true);
  }

  /** The engine was lost or faulty; neither a refused request nor a cancel is that. @param reason fit for logs */
  failed(reason: string): void {
    const { poolId, replicaId } = this.replica;
    const now = this.clock.now();
    const { phase } = this;
    if (this.isRetired || phase === 'open') return;
    this.window.add(now, false);
    if (phase === 'closed' && !this.isTooMuch(now)) return;
    this.board.set(poolId, replicaId, opened(this.board.of(poolId, replicaId), now, reason, this.rules));
    this.window.clear();
  }

  /** The engine is not the replica's any more: what its last streams come to says nothing of the one that follows. */
  retire(): void {
    this.isRetired = true;
  }

  close(): void {
    const { poolId, replicaId } = this.replica;
    this.window.clear();
    if (this.board.of(poolId, replicaId) !== null) this.board.set(poolId, replicaId, null);
  }

  private isTooMuch(nowMs: number): boolean {
    const { succeeded, failed } = this.window.counts(nowMs);
    return failed >= this.rules.failures && failed >= succeeded;
  }
}
