import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from './server.mjs';

function listens(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

async function spawnFirst(names, flags) {
  for (const name of names) {
    const child = spawn(name, flags, { stdio: 'ignore' });
    const isSpawned = await new Promise((resolve) => {
      child.once('spawn', () => resolve(true)).once('error', () => resolve(false));
    });
    if (isSpawned) return child;
  }
  throw new Error(`the anchors need one of these on PATH: ${names.join(', ')}`);
}

/** A private Redis or Valkey for the anchors, durable like the one of the server under test. */
export async function startRedis() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'orchestratord-bench-redis-'));
  const port = await findFreePort();
  const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory];
  const flags = [...where, '--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''];
  const child = await spawnFirst(['redis-server', 'valkey-server'], flags);
  const stop = async () => {
    child.kill('SIGKILL');
    await sleep(100);
    fs.rmSync(directory, { recursive: true, force: true });
  };
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await listens(port)) return { port, stop };
    await sleep(50);
  }
  await stop();
  throw new Error('the private Redis did not start');
}
