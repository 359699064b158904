import { spawnHelper } from '../processes.mjs';
import { atLeast, nothingWrong } from './checks.mjs';

const job = {
  kind: 'closed-loop',
  dialect: 'accept-only',
  prompt: 'Why is the sky blue?',
  clients: 64,
  tokens: 256,
  spreadMs: 20,
  warmupRequests: 0,
  warmupMs: 10_000,
  maxRequests: 90_000, // the queue holds 100,000,
  maxMs: 15_000,
};

async function measureBullmq(workplace) {
  const redis = await workplace.startRedis();
  const helper = spawnHelper('bullmq-anchor.mjs', [String(redis.port)]);
  workplace.onClose(helper.stop);
  let report = null;
  helper.lines.on('line', (line) => ({ report } = JSON.parse(line)));
  await helper.exited;
  await redis.stop();
  if (report === null) throw new Error('the BullMQ anchor gave no figures');
  return report;
}

export const accept = {
  name: 'accept',
  title: 'acceptance: 64 clients POST /v2/tasks without a stream, one slow slot, 5 s',
  async run(workplace) {
    const bullmq = await measureBullmq(workplace);
    const facts = [
      `raw BullMQ, 64 adds in flight: ${bullmq.addsPerSecond} adds/s; in bulks of 16: ${bullmq.bulkAddsPerSecond} adds/s`,
      `raw BullMQ, add to pickup: p50 ${bullmq.pickupMs.p50.toFixed(2)} ms, p99 ${bullmq.pickupMs.p99.toFixed(2)} ms`,
    ];
    if (!workplace.hasServer) return { rows: [], checks: [], facts, bullmq };
    const engine = await workplace.startEngine(['--slots', '1', '--tokens-per-s', '1']);
    const server = await workplace.bootServer(engine.port, 1);
    const row = await workplace.measure(server, job);
    const rate = atLeast('tasks accepted', row.requestsPerSecond, 2500, 'tasks/s', bullmq.addsPerSecond);
    return { rows: [row], checks: [rate, nothingWrong(row)], facts, bullmq };
  },
};
