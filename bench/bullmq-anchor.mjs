import { Queue, Worker } from 'bullmq';

// The anchor for acceptance: what BullMQ alone does on this machine. Argument: the port of a Redis.
// Prints {"report":{addsPerSecond, bulkAddsPerSecond, pickupMs}}; the end of stdin ends it.

const clients = 64;
const addMs = 3000;
const pickups = 300;
const connection = { host: '127.0.0.1', port: Number(process.argv[2]) };
const payload = { taskId: '00000000-0000-4000-8000-000000000000' };

async function countFor(durationMs, addSome) {
  const began = performance.now();
  const ends = began + durationMs;
  let added = 0;
  const loop = async () => {
    while (performance.now() < ends) {
      const more = await addSome(); // `added += await …` would read `added` before the wait and lose the others' adds
      added += more;
    }
  };
  await Promise.all(Array.from({ length: clients }, loop));
  return Math.round((added * 1000) / (performance.now() - began));
}

async function measureAdds(name, addSome) {
  const queue = new Queue(name, { connection });
  await countFor(500, () => addSome(queue)); // warms up
  const perSecond = await countFor(addMs, () => addSome(queue));
  await queue.obliterate({ force: true });
  await queue.close();
  return perSecond;
}

const addOne = async (queue) => {
  await queue.add('task', payload, { priority: 1 });
  return 1;
};
const addMany = async (queue) => {
  await queue.addBulk(Array.from({ length: 16 }, () => ({ name: 'task', data: payload, opts: { priority: 1 } })));
  return 16;
};

async function measurePickup() {
  const queue = new Queue('pickup', { connection });
  let onPicked = () => {};
  const worker = new Worker('pickup', async () => onPicked(performance.now()), { connection, concurrency: 1 });
  await worker.waitUntilReady();
  const tookMs = [];
  for (let turn = 0; turn < pickups + 50; turn += 1) {
    const began = performance.now();
    const picked = new Promise((resolve) => (onPicked = resolve));
    await queue.add('task', payload, { priority: 1, removeOnComplete: true });
    tookMs.push((await picked) - began);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  await worker.close();
  await queue.close();
  const sorted = tookMs.slice(50).sort((a, b) => a - b);
  return { p50: sorted[Math.floor(sorted.length * 0.5)], p99: sorted[Math.floor(sorted.length * 0.99)] };
}

process.stdin.resume().on('end', () => process.exit(1));
const pickupMs = await measurePickup();
const addsPerSecond = await measureAdds('single', addOne);
const bulkAddsPerSecond = await measureAdds('bulk', addMany);
process.stdout.write(`${JSON.stringify({ report: { pickupMs, addsPerSecond, bulkAddsPerSecond } })}\n`, () =>
  process.exit(0),
);
