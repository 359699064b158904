// Reads the same streams by turns with a bare undici reader and with one of our adapters, and prints what a token costs either:
// read.mjs {"engine", "port", "streams", "rounds"}

import process from 'node:process';
import { Agent, request } from 'undici';

const { engine, port, streams, rounds } = JSON.parse(process.argv[2]);
const dist = new URL('../../dist/engines/', import.meta.url);
const classes = {
  llamacpp: 'LlamacppAdapter',
  openai: 'OpenAiAdapter',
  vllm: 'VllmAdapter',
  tgi: 'TgiAdapter',
  triton: 'TritonAdapter',
};
const { EngineAgent } = await import(new URL('http/lean/lean-agent.js', dist).href);
const { [classes[engine]]: Adapter } = await import(new URL(`${engine}/${engine}.adapter.js`, dist).href);
const ours = new EngineAgent();
const adapter = new Adapter(ours);
const bareAgent = new Agent({ connections: null, pipelining: 1 });
const url = `http://127.0.0.1:${port}`;
const timeouts = { connectMs: 5000, idleMs: 30_000, wallMs: 60_000 };

/** Nothing but the bytes: no lines, no JSON, no text. */
async function readBare() {
  const { body } = await request(`${url}/generate`, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
    dispatcher: bareAgent,
  });
  let bytes = 0;
  body.on('data', (piece) => (bytes += piece.length));
  await new Promise((resolve, reject) => body.once('end', resolve).once('error', reject));
  return 0;
}

function readOurs(path = '', change = {}) {
  const endpoint = { poolId: 'p', replicaId: 'r0', url: url + path, timeouts, ...change };
  const work = { kind: 'completion', input: { prompt: 'Hi' }, maxTokens: 1000, seed: undefined, sampling: undefined };
  return new Promise((resolve, reject) => {
    let tokens = 0;
    const sink = {
      onToken: () => (tokens += 1),
      onPrompt: () => undefined,
      onEnd: () => resolve(tokens),
      onError: reject,
    };
    const task = { taskId: 't', correlationId: 'c', model: 'a-model', work };
    adapter.submit(endpoint, task, sink, new AbortController().signal);
  });
}

async function cpuOf(read) {
  const before = process.cpuUsage();
  const counts = await Promise.all(Array.from({ length: streams }, read));
  const { user, system } = process.cpuUsage(before);
  return { us: user + system, tokens: counts.reduce((sum, count) => sum + count, 0) };
}

/** CPU until a line without an end is refused at the limit. */
async function refusalMs(maxLineBytes) {
  const before = process.cpuUsage();
  const refusal = await readOurs('/endless', { maxLineBytes }).catch((error) => error);
  if (!/a line of more than/.test(refusal.message)) throw new Error(`it was not refused: ${refusal}`);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const bare = [];
const adapted = [];
// The first round warms up.
for (let round = 0; round <= rounds; round += 1) {
  const one = await cpuOf(readBare);
  const two = await cpuOf(() => readOurs());
  if (round === 0) continue;
  bare.push(one.us / two.tokens);
  adapted.push(two.us / two.tokens);
}
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const line = engine === 'triton' ? null : { ten: await refusalMs(10_000_000), twenty: await refusalMs(20_000_000) };
process.stdout.write(`${JSON.stringify({ bareUs: median(bare), adapterUs: median(adapted), line })}\n`);
await Promise.all([ours.destroy(), bareAgent.destroy()]);
