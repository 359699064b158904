import { atMost, nothingWrong, sides } from './checks.mjs';

function timeToFirstToken({ name, title, limitMs, pace, job }) {
  return {
    name,
    title,
    async run(workplace) {
      const subjects = await workplace.subjects();
      await workplace.setPace({ tokensPerSecond: pace, firstTokenMs: 0 });
      const rows = [];
      for (const subject of subjects) rows.push(await workplace.measure(subject, job));
      const { alone, proxy, ours } = sides(rows);
      const added = (row) => row.ttftMs.p50 - alone.ttftMs.p50;
      if (ours === null) return { rows, checks: [] };
      return {
        rows,
        checks: [atMost('TTFT added, median', added(ours), limitMs, 'ms', added(proxy)), nothingWrong(ours)],
      };
    },
  };
}

const common = { kind: 'closed-loop', prompt: 'Why is the sky blue?', warmupMs: 0, maxMs: 20_000 };

export const ttftOne = timeToFirstToken({
  name: 'ttft-1',
  title: 'time to first token: 1 client, 300 requests in sequence, 4 tokens each',
  limitMs: 4,
  pace: 200,
  job: { ...common, clients: 1, tokens: 4, spreadMs: 0, warmupRequests: 100, maxRequests: 400 },
});

export const ttftMany = timeToFirstToken({
  name: 'ttft-32',
  title: 'time to first token: 32 clients, 640 requests, 20 tokens each at 50 tokens/s',
  limitMs: 6,
  pace: 50,
  job: { ...common, clients: 32, tokens: 20, spreadMs: 400, warmupRequests: 96, maxRequests: 736 },
});
