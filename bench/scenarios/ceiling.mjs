import { atLeast, nothingWrong, sides } from './checks.mjs';

const job = {
  kind: 'closed-loop',
  prompt: 'Why is the sky blue?',
  clients: 32,
  tokens: 2000,
  spreadMs: 50,
  warmupRequests: 0,
  warmupMs: 1500,
  maxRequests: 1_000_000,
  maxMs: 6500,
};

export const ceiling = {
  name: 'ceiling',
  title: 'ceiling: unpaced engine, 32 clients, 2,000 tokens each, 5 s',
  async run(workplace) {
    const subjects = await workplace.subjects();
    await workplace.setPace({ tokensPerSecond: 0, firstTokenMs: 0 });
    const rows = [];
    for (const subject of subjects) rows.push(await workplace.measure(subject, job));
    const { proxy, ours } = sides(rows);
    if (ours === null) return { rows, checks: [] };
    const speed = atLeast('tokens per second', ours.tokensPerSecond, 100_000, 'tokens/s', proxy.tokensPerSecond);
    return { rows, checks: [speed, nothingWrong(ours)] };
  },
};
