/** The parallel sequences of an engine; who finds none free waits in line, as llama-server does. */
export class Slots {
  #free;
  #waiting = [];
  #total;

  constructor(total) {
    this.#total = total;
    this.#free = Array.from({ length: total }, (_, index) => total - 1 - index);
  }

  get total() {
    return this.#total;
  }

  get busy() {
    return this.#total - this.#free.length;
  }

  /** Calls back with a slot id, now or when one is free. @returns a function that gives the slot back or leaves the line */
  take(onSlot) {
    const ticket = { slotId: -1, left: false, onSlot };
    this.#waiting.push(ticket);
    this.#serve();
    return () => this.#leave(ticket);
  }

  /** One row per slot, as `GET /slots` lists them. */
  list(contextTokens) {
    const free = new Set(this.#free);
    return Array.from({ length: this.#total }, (_, id) => ({
      id,
      n_ctx: contextTokens,
      speculative: false,
      is_processing: !free.has(id),
    }));
  }

  #leave(ticket) {
    if (ticket.left) return;
    ticket.left = true;
    if (ticket.slotId >= 0) this.#free.push(ticket.slotId);
    this.#serve();
  }

  #serve() {
    while (this.#free.length > 0 && this.#waiting.length > 0) {
      const ticket = this.#waiting.shift();
      if (ticket.left) continue;
      ticket.slotId = this.#free.pop();
      ticket.onSlot(ticket.slotId);
    }
  }
}
