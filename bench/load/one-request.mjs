import { nowUs, readStampUs } from '../clock.mjs';

/** One request from first byte sent to last byte read: splits the body into SSE frames and tells the tally. */
export class OneRequest {
  windowTokens = 0;
  ttftMs = NaN;
  #dialect;
  #tally;
  #onDone;
  #sentUs = nowUs();
  #held = '';
  #next = 0;
  #status = 0;
  #isEnded = false;
  #wasMeasuring;

  /** @param {(isGood: boolean) => void} onDone */
  constructor(dialect, tally, onDone) {
    this.#dialect = dialect;
    this.#tally = tally;
    this.#onDone = onDone;
    this.#wasMeasuring = tally.isMeasuring;
  }

  onStatus(status) {
    this.#status = status;
    this.#tally.countStatus(status);
  }

  onBody(text) {
    const body = this.#held === '' ? text : this.#held + text;
    if (this.#status !== 200) {
      this.#held = body;
      return;
    }
    let at = 0;
    for (let end = body.indexOf('\n\n', at); end >= 0; end = body.indexOf('\n\n', at)) {
      this.#dialect.readFrame(body.slice(at, end), this);
      at = end + 2;
    }
    this.#held = at === 0 ? body : body.slice(at);
  }

  onToken(text, index, count) {
    const tally = this.#tally;
    if (index !== this.#next || this.#isEnded) tally.gaps += 1;
    if (this.#next === 0) this.#onFirstToken();
    this.#next = index + count;
    if (!tally.isMeasuring) return;
    this.windowTokens += count;
    tally.windowTokens += count;
    const stampUs = readStampUs(text);
    if (stampUs > 0) tally.ageMs.push((nowUs() - stampUs) / 1000);
  }

  #onFirstToken() {
    this.ttftMs = (nowUs() - this.#sentUs) / 1000;
    if (this.#wasMeasuring) this.#tally.ttftMs.push(this.ttftMs);
  }

  onEnd() {
    // A second terminal event is a broken promise like a gap.
    if (this.#isEnded) this.#tally.gaps += 1;
    else this.#tally.ended += 1;
    this.#isEnded = true;
  }

  onError(frame) {
    this.#isEnded = true;
    this.#tally.countFailure(frame.slice(frame.indexOf('data:')));
  }

  onDone(failure) {
    if (failure !== null) this.#tally.countFailure(failure);
    else if (this.#status === 200 && !this.#isEnded && this.#dialect.endsWithAnswer !== true)
      this.#tally.countFailure('stream closed without a terminal event');
    else if (this.#status >= 300) this.#tally.countRefusal(`${this.#status} ${this.#held}`);
    if (this.#wasMeasuring && this.#tally.isMeasuring && this.#status < 300) {
      this.#tally.windowRequests += 1;
      this.#tally.doneMs.push((nowUs() - this.#sentUs) / 1000);
    }
    this.#onDone(failure === null && this.#status < 300);
  }
}
