// Answers every POST with the recorded stream of an engine, token by token at a pace: replay.mjs ENGINE TOKENS TOKENS_PER_S
// A path that ends in /endless gets one line without an end. Ends when its stdin closes.

import { createServer } from 'node:http';
import process from 'node:process';
import { recorded } from './recorded.mjs';

const [engine, tokensText, paceText] = process.argv.slice(2);
const { token, end, documents = {} } = recorded[engine];
const tokens = Number(tokensText);
const tickMs = 1000 / Number(paceText);
const words = [' the', ' quick', ' brown', ' fox', ' jumps', ' over', ' lazy', ' dogs'];
const filler = Buffer.alloc(64 * 1024, 'x');

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    const document = documents[request.url];
    if (document !== undefined) response.end(JSON.stringify(document));
    else if (request.url.startsWith('/endless')) fill(response);
    else tell(response);
  });
});

function tell(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let sent = 0;
  const timer = setInterval(() => {
    if (sent === tokens || response.destroyed) {
      clearInterval(timer);
      response.end(end(tokens));
      return;
    }
    response.write(token(words[sent % words.length], sent));
    sent += 1;
  }, tickMs);
}

function fill(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('data: {"content":"');
  const more = () => {
    while (!response.destroyed && response.write(filler));
  };
  response.on('drain', more);
  more();
}

server.listen(0, '127.0.0.1', () => process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`));
process.stdin.resume().on('end', () => process.exit(0));
