#!/usr/bin/env node
// A program that speaks as much of llama-server's HTTP as supervision needs. What it does wrong is told by files in $FAKE_ENGINE_DIR:
// `die-at-start`, `never-healthy`, `unhealthy`, `ignore-term`, `abort-on-cuda`; every start leaves a line in `starts`.
import { appendFileSync, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { env, stderr, stdout } from 'node:process';

if (process.argv.includes('--version')) {
  stderr.write('version: 6123 (fake)\n');
  process.exit(0);
}
if (process.argv.includes('--list-devices')) {
  stdout.write('Available devices:\n');
  process.exit(0);
}

const folder = env.FAKE_ENGINE_DIR;
const told = (name) => existsSync(join(folder, name));
const flag = (name) => process.argv[process.argv.indexOf(name) + 1];
appendFileSync(join(folder, 'starts'), `${JSON.stringify({ pid: process.pid, args: process.argv.slice(2), env })}\n`);

if (told('die-at-start')) {
  stderr.write('error: failed to load model: not today\n');
  process.exit(3);
}
if (told('ignore-term')) process.on('SIGTERM', () => stderr.write('no\n'));

createServer((request, response) => {
  if (request.url === '/health') {
    response.writeHead(told('never-healthy') || told('unhealthy') ? 503 : 200).end('{}');
    return;
  }
  if (request.url === '/props') {
    response.end(
      JSON.stringify({
        total_slots: Number(flag('--parallel')),
        default_generation_settings: { n_ctx: 512 },
        build_info: 'b6123-fake',
      }),
    );
    return;
  }
  if (request.url === '/crash') process.exit(9);
  if (told('abort-on-cuda') && flag('--gpu') === 'cuda') {
    // As llama.cpp does at the first token when its code is newer than the driver.
    stderr.write('CUDA error: the provided PTX was compiled with an unsupported toolchain.\n');
    process.abort();
  }
  response.write('token');
  if (request.headers['x-many'] === undefined) response.end();
}).listen(Number(flag('--port')), '127.0.0.1');
