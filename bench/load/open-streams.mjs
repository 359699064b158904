import { setTimeout as sleep } from 'node:timers/promises';
import { HttpClient } from './http-client.mjs';
import { OneRequest } from './one-request.mjs';

const lateFirstTokenMs = 1000;
const lateShare = 0.95;

function openStream(job, dialect, tally, onDone) {
  const client = new HttpClient(job.port);
  const stream = { client, request: null };
  const fail = (error) => {
    tally.countFailure(error.message);
    onDone();
  };
  client.connect().then(() => {
    stream.request = new OneRequest(dialect, tally, onDone);
    client.send(dialect.request(job), stream.request);
  }, fail);
  return stream;
}

/** Late: the first token took over a second, or fewer tokens than the engine emits arrived inside the window. */
function isLate(stream, job) {
  const expected = (job.tokensPerSecond * job.measureMs) / 1000;
  return !(stream.request?.ttftMs <= lateFirstTokenMs) || stream.request.windowTokens < expected * lateShare;
}

/**
 * Opens `clients` streams evenly over `rampMs`, lets them settle, measures for `measureMs`, and then waits until all
 * have ended by themselves, so that gaps and missing ends show.
 */
export async function runOpenStreams(job, dialect, tally, mark) {
  const streams = [];
  let open = 0;
  const began = performance.now();
  while (streams.length < job.clients) {
    const due = Math.ceil(((performance.now() - began) / job.rampMs) * job.clients);
    while (streams.length < Math.min(due, job.clients)) {
      open += 1;
      streams.push(openStream(job, dialect, tally, () => (open -= 1)));
    }
    await sleep(1);
  }
  mark('soon');
  await sleep(job.settleMs);
  for (const stream of streams) if (stream.request !== null) tally.ttftMs.push(stream.request.ttftMs);
  mark('start');
  tally.isMeasuring = true;
  await sleep(job.measureMs);
  tally.isMeasuring = false;
  mark('end');
  tally.late = streams.filter((stream) => isLate(stream, job)).length;
  const deadline = performance.now() + job.drainMs;
  while (open > 0 && performance.now() < deadline) await sleep(20);
  if (open > 0) tally.countFailure(`${open} streams did not end in time`);
  for (const stream of streams) stream.client.close();
}
