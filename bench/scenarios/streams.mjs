import { atMost, nothingWrong, sides } from './checks.mjs';

const tokensPerSecond = 20;
const rampMs = 4000;
const settleMs = 1500;
const measureMs = 12_000;
// The stream that opened first must still run when the window closes; 1 s to spare.
const tokens = Math.ceil(((rampMs + settleMs + measureMs + 1000) / 1000) * tokensPerSecond);

const job = {
  kind: 'open-streams',
  prompt: 'Why is the sky blue?',
  clients: 1000,
  tokens,
  tokensPerSecond,
  rampMs,
  settleMs,
  measureMs,
  drainMs: rampMs + 4000,
};

export const streamsThousand = {
  name: 'streams-1000',
  title: `1,000 open streams at ${tokensPerSecond} tokens/s each, ${measureMs / 1000} s`,
  async run(workplace) {
    const subjects = await workplace.subjects();
    await workplace.setPace({ tokensPerSecond, firstTokenMs: 0 });
    const rows = [];
    for (const subject of subjects) rows.push(await workplace.measure(subject, job));
    const { alone, proxy, ours } = sides(rows);
    if (ours === null) return { rows, checks: [] };
    const added = (row, share) => row.ageMs[share] - alone.ageMs[share];
    const checks = [
      nothingWrong(ours),
      atMost('token age added, median', added(ours, 'p50'), 1, 'ms', added(proxy, 'p50')),
      atMost('token age added, p99', added(ours, 'p99'), 10, 'ms', added(proxy, 'p99')),
      atMost('CPU per token, node and redis', ours.cpuUsPerToken, 60, 'µs', proxy.cpuUsPerToken),
    ];
    return { rows, checks };
  },
};
