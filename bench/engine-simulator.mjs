import readline from 'node:readline';
import { parseArgs } from 'node:util';
import { Completion } from './simulator/completion.mjs';
import { createHttpServer, sendJson } from './simulator/http-server.mjs';
import { Pump } from './simulator/pump.mjs';
import { Slots } from './simulator/slots.mjs';
import { TimerWheel } from './simulator/timer-wheel.mjs';

// An engine without a model: speaks llama-server's HTTP dialect and emits tokens at the pace it is told.
// Prints {"port":N} when it listens. A JSON line on stdin changes the pace; the end of stdin ends the process.

const options = {
  port: { type: 'string', default: '0' },
  slots: { type: 'string', default: '4096' },
  'n-ctx': { type: 'string', default: '8192' },
  'tokens-per-s': { type: 'string', default: '20' }, // per stream; 0 = as fast as the socket drains
  'first-token-ms': { type: 'string', default: '0' },
  'frames-per-write': { type: 'string', default: '4' }, // unpaced only
  stamp: { type: 'boolean', default: false }, // token text = moment of emission
};

function createEngine(flags) {
  return {
    contextTokens: Number(flags['n-ctx']),
    slots: new Slots(Number(flags.slots)),
    wheel: new TimerWheel(),
    pump: new Pump(Number(flags['frames-per-write'])),
    isStamped: flags.stamp,
    pace: { tokensPerSecond: Number(flags['tokens-per-s']), firstTokenMs: Number(flags['first-token-ms']) },
  };
}

function props(engine) {
  return {
    default_generation_settings: { n_ctx: engine.contextTokens, params: {} },
    total_slots: engine.slots.total,
    model_alias: 'sim',
    model_path: 'sim.gguf',
    modalities: { vision: false, audio: false },
    chat_template: '',
    build_info: 'b0-simulator',
  };
}

/** Four characters make a token, as in English text; enough for counting. */
function countTokens(text) {
  return Math.max(1, Math.ceil(text.length / 4));
}

function parseObject(body) {
  try {
    const value = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
}

function complete(engine, socket, body) {
  const prompt = typeof body.prompt === 'string' ? countTokens(body.prompt) : (body.prompt?.length ?? 0);
  if (prompt === 0) {
    sendJson(socket, 400, { error: { code: 400, message: '"prompt" is missing', type: 'invalid_request_error' } });
    return;
  }
  const room = Math.max(1, engine.contextTokens - prompt);
  const asked = Number.isInteger(body.n_predict) && body.n_predict >= 0 ? body.n_predict : room;
  const request = { tokens: Math.min(asked, room), evaluated: prompt, isStreamed: body.stream === true };
  void new Completion(engine, socket, request);
}

const posts = {
  '/completion': complete,
  '/tokenize': (_engine, socket, body) => {
    const count = countTokens(String(body.content ?? ''));
    sendJson(socket, 200, { tokens: Array.from({ length: count }, (_, index) => index + 1) });
  },
};

const gets = {
  '/health': () => ({ status: 'ok' }),
  '/props': props,
  '/slots': (engine) => engine.slots.list(engine.contextTokens),
};

function route(engine, request, socket) {
  const get = request.method === 'GET' ? gets[request.path] : undefined;
  if (get !== undefined) return sendJson(socket, 200, get(engine));
  const post = request.method === 'POST' ? posts[request.path] : undefined;
  if (post === undefined) return sendJson(socket, 404, { error: { code: 404, message: 'File Not Found' } });
  const body = parseObject(request.body);
  if (body === null) return sendJson(socket, 400, { error: { code: 400, message: 'the body is no JSON object' } });
  return post(engine, socket, body);
}

const { values } = parseArgs({ options });
const engine = createEngine(values);
const server = createHttpServer((request, socket) => route(engine, request, socket));
server.listen({ port: Number(values.port), host: '127.0.0.1', backlog: 4096 }, () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
});
readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => Object.assign(engine.pace, parseObject(line)))
  .on('close', () => process.exit(0));
