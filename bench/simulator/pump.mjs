/** Lets unpaced streams run as fast as their sockets drain, one block each in turn so that none starves the others. */
export class Pump {
  #ready = [];
  #isScheduled = false;
  #framesPerWrite;

  constructor(framesPerWrite) {
    this.#framesPerWrite = framesPerWrite;
  }

  /** @param {import('./completion.mjs').Completion} stream */
  add(stream) {
    this.#ready.push(stream);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn() {
    const streams = this.#ready;
    this.#ready = [];
    this.#isScheduled = false;
    for (const stream of streams) {
      if (stream.isOver) continue;
      stream.writeTokens(this.#framesPerWrite);
      if (stream.isOver) continue;
      if (stream.needsDrain) stream.onceDrained(() => this.add(stream));
      else this.add(stream);
    }
  }
}
