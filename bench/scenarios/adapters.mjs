import { once } from 'node:events';
import { spawnHelper, spawnListener } from '../processes.mjs';
import { recorded } from '../adapters/recorded.mjs';
import { atMost } from './checks.mjs';

const streams = 64;
const tokens = 200;
const tokensPerSecond = 100;
const rounds = 3;

async function measureAdapter(workplace, engine) {
  const replay = await spawnListener('adapters/replay.mjs', [engine, String(tokens), String(tokensPerSecond)]);
  workplace.onClose(replay.stop);
  const reader = spawnHelper('adapters/read.mjs', [JSON.stringify({ engine, port: replay.port, streams, rounds })]);
  workplace.onClose(reader.stop);
  const [line] = await Promise.race([
    once(reader.lines, 'line'),
    reader.exited.then(() => Promise.reject(new Error(`the reader of ${engine} ended without a figure`))),
  ]);
  await replay.stop();
  return { engine, ...JSON.parse(line) };
}

/** One process reads the same recorded stream by turns with a bare undici reader and with an adapter; the servers are processes of their own. */
export const adapters = {
  name: 'adapters',
  title: `CPU per token of each HTTP adapter over a bare undici reader: ${streams} streams at ${tokensPerSecond} tokens/s, ${rounds} rounds by turns`,
  async run(workplace) {
    const measured = [];
    for (const engine of Object.keys(recorded)) measured.push(await measureAdapter(workplace, engine));
    const facts = measured.flatMap(({ engine, bareUs, adapterUs, line }) => [
      `${engine.padEnd(9)} ${adapterUs.toFixed(1)} µs a token, bare reader ${bareUs.toFixed(1)} µs`,
      ...(line === null
        ? []
        : [
            `          a line without an end: refused at 10 MB after ${line.ten.toFixed(0)} ms of CPU, at 20 MB after ${line.twenty.toFixed(0)} ms`,
          ]),
    ]);
    const lines = measured.flatMap(({ line }) => (line === null ? [] : [line]));
    const sum = (key) => lines.reduce((total, line) => total + line[key], 0);
    const checks = [
      ...measured.map(({ engine, bareUs, adapterUs }) =>
        atMost(`${engine} over a bare reader`, adapterUs / bareUs, 1.3, '×'),
      ),
      atMost('refusing a line of 20 MB over one of 10 MB', sum('twenty') / sum('ten'), 3, '×'),
    ];
    return { rows: [], facts, checks, measured };
  },
};
