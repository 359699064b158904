/**
 * Holds an answer that is generated again against what its readers have seen. Where the pieces are cut does not matter, every character
 * does.
 */
export class PrefixCheck {
  private seen = 0;

  /** @param prefix what was shown; empty: nothing */
  constructor(private readonly prefix: string) {}

  /** Whether everything that was shown has come again. */
  get isPast(): boolean {
    return this.seen >= this.prefix.length;
  }

  /** The part of the next piece that was not shown yet; null: it is not what was shown. */
  accept(piece: string): string | null {
    if (this.isPast) return piece;
    const known = Math.min(piece.length, this.prefix.length - this.seen);
    const isSame = this.prefix.startsWith(known === piece.length ? piece : piece.slice(0, known), this.seen);
    if (!isSame) return null;
    this.seen += known;
    return piece.slice(known);
  }
}
