import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { env } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcesses, findFamily } from './processes.mjs';

const bootMs = 90_000;
const graceMs = 15_000;

export async function findFreePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function configuration({ directory, port, enginePort, slots }) {
  return `profile: home
server: { bind: 127.0.0.1:${port} }
storage: { postgres: embedded, redis: embedded, data_dir: ${directory}/data }
policy: { gpu: allowed-cpu }
worker: { shutdown_grace_ms: 1000 }
pools:
  - id: default
    engine: { id: llamacpp }
    model: { ref: "sim" }
    aliases: [default]
    ctx: 8192
    slots: ${slots}
    queue: { capacity: 100000 }
    replicas: [{ id: r0, url: "http://127.0.0.1:${enginePort}" }]
    provisioning: { mode: external }
`;
}

function spawnServer(options, port, extra) {
  const { main, directory, configPath } = options;
  const log = fs.openSync(path.join(directory, 'server.log'), 'a');
  // A clean environment: what the operator has set for his own server must not steer the measured one.
  const clean = { PATH: env.PATH, HOME: env.HOME, NODE_ENV: 'production', ORCHD_CONFIG: configPath };
  const child = spawn(process.execPath, [main], {
    env: { ...clean, BIND_ADDR: `127.0.0.1:${port}`, ...options.env, ...extra },
    stdio: ['ignore', log, log],
  });
  fs.closeSync(log);
  return child;
}

async function waitUntilReady(port, child, directory) {
  const deadline = Date.now() + bootMs;
  let seen = 'no answer';
  while (Date.now() < deadline && child.exitCode === null) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    if (answer?.status === 200) return;
    if (answer !== null) seen = `${answer.status} ${(await answer.text()).slice(0, 300)}`;
    await sleep(100);
  }
  const tail = fs.readFileSync(path.join(directory, 'server.log'), 'utf8').slice(-2000);
  throw new Error(`the server did not become ready (exit ${child.exitCode}, /readyz: ${seen})\n${tail}`);
}

/** The pool is ready once its engine was probed, which may be after /readyz. */
async function waitUntilServing(port) {
  const body = JSON.stringify({ workload: 'completion', model_ref: 'default', prompt: 'ready?', max_tokens: 1 });
  const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };
  const deadline = Date.now() + 20_000;
  let seen = '';
  while (Date.now() < deadline) {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/tasks`, { method: 'POST', headers, body });
    seen = await answer.text();
    if (answer.status === 200 && seen.includes('event: end')) return;
    await sleep(200);
  }
  throw new Error(`the server does not serve its first task: ${seen.slice(0, 500)}`);
}

/** Split processes share one data directory: the second one uses the embedded stores of the first. */
function processPlan(isSplit, port, apartPort) {
  if (!isSplit) return [{ port, extra: {} }];
  return [
    { port, extra: { ORCHD_ROLES: 'api' } },
    { port: apartPort, extra: { ORCHD_ROLES: 'worker' } },
  ];
}

/**
 * Boots orchestratord on a temporary data directory, in front of one engine.
 * @param {{main: string, enginePort: number, slots: number, isSplit: boolean, env?: Record<string, string>}} options
 * @param {(stop: () => Promise<void>) => void} onStarted told how to stop before the boot is over, so that it can be interrupted
 */
export async function bootServer(options, onStarted) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'orchestratord-bench-'));
  fs.chmodSync(directory, 0o755); // Postgres runs as another user when we are root, and must pass through
  const port = await findFreePort();
  const configPath = path.join(directory, 'orchestratord.yaml');
  fs.writeFileSync(configPath, configuration({ directory, port, ...options }));
  const children = [];
  const roots = () => children.map((child) => child.pid);
  const stop = async () => {
    const everything = findFamily(roots(), directory);
    for (const child of children) child.kill('SIGTERM');
    await endProcesses(() => [...everything, ...findFamily([], directory)], graceMs);
    fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  onStarted(stop);
  for (const part of processPlan(options.isSplit, port, await findFreePort())) {
    const child = spawnServer({ ...options, directory, configPath }, part.port, part.extra);
    children.push(child);
    await waitUntilReady(part.port, child, directory);
  }
  await waitUntilServing(port);
  return { port, directory, family: () => findFamily(roots(), directory) };
}
