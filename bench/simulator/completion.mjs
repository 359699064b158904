import { makeStamp, nowUs } from '../clock.mjs';
import { chunk, finalAnswer, lastChunk, streamHead, tokenFrame } from './frames.mjs';
import { sendJson } from './http-server.mjs';

/**
 * One running sequence. Paced, it is an entry of the timer wheel and writes one frame each time it fires; unpaced, the
 * pump asks it for a block of frames whenever its socket has room. It ends by count, or when the client hangs up.
 */
export class Completion {
  dueUs = 0;
  #engine;
  #socket;
  #request;
  #slotId = -1;
  #predicted = 0;
  #startedUs = 0;
  #firstUs = 0;
  #intervalUs = 0;
  #headSent = false;
  #content = '';
  #isOver = false;
  #giveBack = () => {};
  #onClose = () => this.#finish();

  /** @param {{tokens: number, evaluated: number, isStreamed: boolean}} request */
  constructor(engine, socket, request) {
    this.#engine = engine;
    this.#socket = socket;
    this.#request = request;
    socket.once('close', this.#onClose);
    this.#giveBack = engine.slots.take((slotId) => this.#begin(slotId));
    // Without a delay the last token is out before `take` has answered.
    if (this.#isOver) this.#giveBack();
  }

  get isOver() {
    return this.#isOver;
  }

  get needsDrain() {
    return this.#socket.writableNeedDrain;
  }

  onceDrained(callback) {
    this.#socket.once('drain', callback);
  }

  #begin(slotId) {
    const { tokensPerSecond, firstTokenMs } = this.#engine.pace;
    this.#slotId = slotId;
    this.#startedUs = nowUs();
    this.#intervalUs = tokensPerSecond > 0 ? 1e6 / tokensPerSecond : 0;
    this.dueUs = this.#startedUs + firstTokenMs * 1000;
    if (firstTokenMs > 0) this.#engine.wheel.add(this);
    else this.fire();
  }

  /** The next token is due. */
  fire() {
    if (this.#isOver) return;
    if (this.#intervalUs === 0) {
      this.#engine.pump.add(this);
      return;
    }
    this.writeTokens(1);
    if (this.#isOver) return;
    // Counted from the last due time, not from now: a late tick must not slow the stream down.
    this.dueUs += this.#intervalUs;
    this.#engine.wheel.add(this);
  }

  /** Writes up to `count` frames as one HTTP chunk; the last one brings the final frame along. */
  writeTokens(count) {
    if (this.#predicted === 0) this.#firstUs = nowUs();
    const text = this.#engine.isStamped ? ` ${makeStamp()}` : null;
    const upTo = Math.min(this.#predicted + count, this.#request.tokens);
    let frames = '';
    while (this.#predicted < upTo) {
      this.#predicted += 1;
      const content = text ?? ` tok${this.#predicted}`;
      if (this.#request.isStreamed) {
        frames += tokenFrame(content, this.#slotId, this.#predicted, this.#request.evaluated);
      } else this.#content += content;
    }
    this.#send(frames, this.#predicted >= this.#request.tokens);
  }

  #send(frames, isLast) {
    if (!this.#request.isStreamed) {
      if (isLast) this.#answerWhole();
      return;
    }
    let wire = this.#headSent ? '' : streamHead;
    this.#headSent = true;
    if (frames !== '') wire += chunk(frames);
    if (isLast) wire += chunk(`data: ${JSON.stringify(this.#final())}\n\n`) + lastChunk;
    if (isLast) this.#finish();
    this.#socket.write(wire, 'latin1');
  }

  #answerWhole() {
    this.#finish();
    sendJson(this.#socket, 200, this.#final());
  }

  #final() {
    return finalAnswer({
      slotId: this.#slotId,
      predicted: this.#predicted,
      evaluated: this.#request.evaluated,
      firstTokenMs: (this.#firstUs - this.#startedUs) / 1000,
      decodeMs: (nowUs() - this.#firstUs) / 1000,
      content: this.#content,
    });
  }

  #finish() {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.off('close', this.#onClose);
    this.#giveBack();
  }
}
