import { setTimeout as sleep } from 'node:timers/promises';
import { HttpClient } from './http-client.mjs';
import { OneRequest } from './one-request.mjs';

const pauseAfterFailureMs = 100;
/** Of the time before the window, what passes until the generator says that it soon opens. */
const soonShare = 0.8;

async function runClient(job, dialect, tally, state) {
  const client = new HttpClient(job.port);
  state.clients.push(client);
  const wire = dialect.request(job);
  // Clients start spread over one request's time, so that they do not beat in step.
  await sleep(Math.random() * job.spreadMs);
  while (!state.isOver && state.sent < job.maxRequests) {
    if (!client.isConnected) await client.connect();
    state.sent += 1;
    if (state.sent === Math.ceil(job.warmupRequests * soonShare) + 1) state.onAlmostWarm();
    if (state.sent === job.warmupRequests + 1) state.onWarm();
    const isGood = await new Promise((resolve) => client.send(wire, new OneRequest(dialect, tally, resolve)));
    if (!isGood) await sleep(pauseAfterFailureMs);
  }
  client.close();
}

/**
 * `clients` connections, each sending its next request when the last one is done, until `maxRequests` were sent or
 * `maxMs` passed. The window opens after `warmupRequests` and `warmupMs` and closes with the run.
 */
export async function runClosedLoop(job, dialect, tally, mark) {
  const state = { isOver: false, sent: 0, clients: [], onAlmostWarm: () => {}, onWarm: () => {} };
  const almostWarm = new Promise((resolve) => (state.onAlmostWarm = resolve));
  const warm = new Promise((resolve) => (state.onWarm = resolve));
  if (job.warmupRequests === 0) {
    state.onAlmostWarm();
    state.onWarm();
  }
  void Promise.all([almostWarm, sleep(job.warmupMs * soonShare)]).then(() => state.isOver || mark('soon'));
  const opening = Promise.all([warm, sleep(job.warmupMs)]).then(() => {
    if (state.isOver) return;
    mark('start');
    tally.isMeasuring = true;
  });
  const all = Promise.all(Array.from({ length: job.clients }, () => runClient(job, dialect, tally, state)));
  await Promise.race([all, sleep(job.maxMs)]);
  state.isOver = true;
  tally.isMeasuring = false;
  mark('end');
  for (const client of state.clients) client.close();
  await Promise.race([opening, sleep(0)]);
}
