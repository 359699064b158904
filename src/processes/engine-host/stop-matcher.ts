export interface StopMatch {
  /** Text that is certain not to belong to a stop word. */
  text: string;
  /** The stop word found, which `text` ends before. */
  stopWord?: string;
}

/**
 * Watches generated text for stop words.
 * As in llama-server, a piece whose end could begin a stop word is held back whole until more text decides.
 */
export class StopMatcher {
  private held = '';

  constructor(private readonly stopWords: readonly string[]) {}

  push(piece: string): StopMatch {
    if (this.stopWords.length === 0) return { text: piece };
    this.held += piece;
    const match = earliestMatch(this.held, this.stopWords);
    if (match) {
      const text = this.held.slice(0, match.at);
      this.held = '';
      return { text, stopWord: match.word };
    }
    return endsLikeTheStartOf(this.held, this.stopWords) ? { text: '' } : { text: this.flush() };
  }

  /** What is held back, for when no more text can come. */
  flush(): string {
    const text = this.held;
    this.held = '';
    return text;
  }
}

function earliestMatch(text: string, words: readonly string[]): { at: number; word: string } | undefined {
  let best: { at: number; word: string } | undefined;
  for (const word of words) {
    const at = text.indexOf(word);
    if (at >= 0 && (best === undefined || at < best.at)) best = { at, word };
  }
  return best;
}

function endsLikeTheStartOf(text: string, words: readonly string[]): boolean {
  return words.some((word) => {
    for (let length = Math.min(word.length - 1, text.length); length > 0; length -= 1) {
      if (text.endsWith(word.slice(0, length))) return true;
    }
    return false;
  });
}
