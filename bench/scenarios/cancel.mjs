import { setTimeout as sleep } from 'node:timers/promises';
import { atMost } from './checks.mjs';

const repeats = 100;
const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };

async function busySlots(enginePort) {
  const slots = await (await fetch(`http://127.0.0.1:${enginePort}/slots`)).json();
  return slots.filter((slot) => slot.is_processing).length;
}

/** One task, canceled after some tokens. @returns ms from the 204 until the engine shows all slots free; as found by polling */
async function cancelOnce(port, enginePort) {
  const body = JSON.stringify({ workload: 'completion', model_ref: 'default', prompt: 'Go on', max_tokens: 4000 });
  const answer = await fetch(`http://127.0.0.1:${port}/v2/tasks`, { method: 'POST', headers, body });
  const reader = answer.body.getReader();
  let text = '';
  while (text.split('event: token').length < 6) text += Buffer.from((await reader.read()).value).toString('utf8');
  const [, taskId] = /"task_id":"([^"]+)"/.exec(text);
  if ((await busySlots(enginePort)) !== 1) throw new Error('the engine does not show the running task');
  const { status } = await fetch(`http://127.0.0.1:${port}/v2/tasks/${taskId}/cancel`, { method: 'POST' });
  const answered = performance.now();
  if (status !== 204) throw new Error(`canceling answered ${status}`);
  while ((await busySlots(enginePort)) > 0) await sleep(1);
  const freeMs = performance.now() - answered;
  await reader.cancel();
  return freeMs;
}

export const cancel = {
  name: 'cancel',
  title: `cancel: from the 204 to a free slot in the engine's /slots, ${repeats} tasks at 50 tokens/s`,
  async run(workplace) {
    if (!workplace.hasServer) return { rows: [], checks: [] };
    const engine = await workplace.startEngine(['--slots', '4', '--tokens-per-s', '50']);
    const server = await workplace.bootServer(engine.port, 4);
    const times = [];
    for (let at = 0; at < repeats; at += 1) times.push(await cancelOnce(server.port, engine.port));
    const sorted = times.toSorted((a, b) => a - b);
    const share = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
    return {
      rows: [],
      facts: [
        `p50 ${share(0.5).toFixed(1)} ms   p90 ${share(0.9).toFixed(1)} ms   longest ${sorted.at(-1).toFixed(1)} ms`,
      ],
      checks: [atMost('slot free after the 204, median', share(0.5), 100, 'ms')],
      cancelMs: sorted,
    };
  },
};
