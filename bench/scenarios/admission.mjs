import { atMost, nothingWrong } from './checks.mjs';

const job = {
  kind: 'closed-loop',
  prompt: 'Why is the sky blue?',
  clients: 16,
  tokens: 256,
  spreadMs: 20,
  warmupRequests: 0,
  warmupMs: 2000,
  maxRequests: 60_000,
  maxMs: 6000,
};

const msPerRequest = (row) => (row.cpuMs.node + row.cpuMs.redis) / row.windowRequests;

export const admission = {
  name: 'admission',
  title:
    'admission: 16 clients, one slow slot; first dry runs (the decision alone), then tasks (with row, log and ticket), 4 s each',
  async run(workplace) {
    if (!workplace.hasServer) return { rows: [], checks: [], facts: [] };
    const engine = await workplace.startEngine(['--slots', '1', '--tokens-per-s', '1']);
    const server = await workplace.bootServer(engine.port, 1);
    const decisions = await workplace.measure(server, { ...job, dialect: 'dry-run' });
    const tasks = await workplace.measure(server, { ...job, dialect: 'accept-only' });
    return {
      rows: [
        { ...decisions, subject: 'dry runs' },
        { ...tasks, subject: 'tasks' },
      ],
      facts: [
        `CPU of a dry run: ${(decisions.cpuMs.node / decisions.windowRequests).toFixed(3)} ms Node, ${(decisions.cpuMs.redis / decisions.windowRequests).toFixed(3)} ms Redis`,
        `CPU of an accepted task: ${(tasks.cpuMs.node / tasks.windowRequests).toFixed(3)} ms Node, ${(tasks.cpuMs.redis / tasks.windowRequests).toFixed(3)} ms Redis, ${(tasks.cpuMs.postgres / tasks.windowRequests).toFixed(3)} ms Postgres`,
      ],
      checks: [
        atMost('CPU of a decision, HTTP and Redis counted', msPerRequest(decisions), 1, 'ms'),
        atMost('CPU of an accepted POST, HTTP, Redis and its queue counted', msPerRequest(tasks), 1, 'ms'),
        nothingWrong(decisions),
        nothingWrong(tasks),
      ],
    };
  },
};
