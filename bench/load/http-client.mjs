import net from 'node:net';

// All sockets of this process read into one buffer: it is used up before the next read begins.
const readBuffer = Buffer.allocUnsafeSlow(262144);

/**
 * One kept-alive HTTP/1.1 connection, one request at a time, read by hand: at 100,000 frames per second node:http in the
 * load generator would be what is measured.
 */
export class HttpClient {
  #port;
  #socket = null;
  #exchange = null;
  #phase = 'head';
  #held = '';
  #left = 0;
  #isLastChunk = false;
  #mustClose = false;

  constructor(port) {
    this.#port = port;
  }

  /** Resolves when the connection stands. */
  connect() {
    return new Promise((resolve, reject) => {
      const onread = { buffer: readBuffer, callback: (size) => this.#read(readBuffer.latin1Slice(0, size)) };
      const socket = net.connect({ port: this.#port, host: '127.0.0.1', noDelay: true, onread }, () => resolve());
      socket.on('error', (error) => {
        reject(error);
        this.#lose(error.message);
      });
      socket.on('close', () => this.#lose('connection closed'));
      this.#socket = socket;
    });
  }

  get isConnected() {
    return this.#socket !== null && !this.#socket.destroyed;
  }

  /** @param {{onStatus(status: number): void, onBody(latin1: string): void, onDone(failure: string | null): void}} exchange */
  send(wire, exchange) {
    this.#exchange = exchange;
    this.#phase = 'head';
    this.#held = '';
    this.#isLastChunk = false;
    this.#socket.write(wire);
  }

  close() {
    this.#exchange = null;
    this.#socket?.destroy();
  }

  #lose(reason) {
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.onDone(this.#phase === 'until-close' ? null : reason);
  }

  #done() {
    const exchange = this.#exchange;
    this.#exchange = null;
    if (this.#mustClose) this.#socket.destroy();
    exchange?.onDone(null);
  }

  #read(text) {
    let rest = text;
    while (rest !== '' && this.#exchange !== null) {
      if (this.#phase === 'head') rest = this.#readHead(rest);
      else if (this.#phase === 'chunks') rest = this.#readChunk(rest);
      else rest = this.#readPlain(rest);
    }
    return true;
  }

  #readHead(text) {
    this.#held += text;
    const end = this.#held.indexOf('\r\n\r\n');
    if (end < 0) return '';
    const head = this.#held.slice(0, end + 2);
    const rest = this.#held.slice(end + 4);
    this.#held = '';
    this.#left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? Infinity);
    this.#mustClose = /\r\nconnection: *close/i.test(head);
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      this.#phase = 'chunks';
      this.#left = 0;
    } else this.#phase = this.#left === Infinity ? 'until-close' : 'length';
    this.#exchange.onStatus(Number(head.slice(9, 12)));
    if (this.#phase === 'length' && this.#left === 0) this.#done();
    return rest;
  }

  #readPlain(text) {
    this.#left -= text.length;
    this.#exchange.onBody(text);
    if (this.#left <= 0) this.#done();
    return '';
  }

  #readChunk(text) {
    if (this.#left > 0) {
      const part = text.length <= this.#left ? text : text.slice(0, this.#left);
      this.#left -= part.length;
      this.#exchange.onBody(part);
      return text.slice(part.length);
    }
    const lineEnd = text.indexOf('\n');
    if (lineEnd < 0) {
      this.#held += text;
      return '';
    }
    const line = (this.#held + text.slice(0, lineEnd)).trim();
    this.#held = '';
    // An empty line closes a chunk; after the chunk of length 0 it closes the answer.
    if (line === '') {
      if (this.#isLastChunk) this.#done();
    } else {
      this.#left = Number.parseInt(line, 16);
      this.#isLastChunk = this.#left === 0;
    }
    return text.slice(lineEnd + 1);
  }
}
