/**
 * Which session each slot of an engine worked for last: what its cache holds. Known of the runs of this process only, and bounded by the
 * slots there are. Being wrong costs an engine a cache, never a task its answer.
 */
export class SessionSlots {
  private readonly sessions = new Map<string, Map<number, string>>();

  /** A run has begun in a slot. @param sessionId undefined: of no session, which takes the slot from whoever had it */
  note(url: string, slot: number, sessionId: string | undefined): void {
    const slots = this.sessions.get(url) ?? new Map<number, string>();
    this.sessions.set(url, slots);
    if (sessionId === undefined) slots.delete(slot);
    else slots.set(slot, sessionId);
  }

  of(url: string, sessionId: string): number[] {
    return [...(this.sessions.get(url) ?? [])].flatMap(([slot, owner]) => (owner === sessionId ? slot : []));
  }

  forget(url: string, slot: number): void {
    this.sessions.get(url)?.delete(slot);
  }
}
