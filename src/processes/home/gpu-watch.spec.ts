import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LivePool, Vram } from '../../modules/pools/index.js';
import type { Metrics } from '../../platform/observability/metrics.js';
import { GpuWatch } from './gpu-watch.js';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gpu-watch-'));
  const program = join(directory, 'nvidia-smi');
  await writeFile(program, '#!/bin/sh\necho "0, A, 100, 60, 5, 1, GPU-aa"\necho "1, B, 200, 20, 7, 1, GPU-bb"\n');
  await chmod(program, 0o755);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

const mebibyte = 2 ** 20;

function replica(id: string, url: string, deviceMask: string | null, ready = true) {
  return { known: { id, url, deviceMask }, ready, engineVersion: null };
}

/** What one look tells of these replicas. */
async function look(replicas: readonly ReturnType<typeof replica>[]) {
  const pool = { config: { id: 'p', engine: { id: 'llamacpp' } }, replicas } as unknown as LivePool;
  const told = new Map<string, Vram>();
  return new Promise<{ told: typeof told; figures: Parameters<Metrics['setGpus']>[0] }>((resolve) => {
    const watch = new GpuWatch(
      { all: () => [pool] },
      {
        tell: (_, seen) => {
          for (const [id, vram] of seen) told.set(id, vram);
          return Promise.resolve();
        },
      },
      { PATH: `${directory}:/usr/bin:/bin` },
      {
        setGpus: (figures) => {
          watch.stop();
          resolve({ told, figures });
        },
      },
    );
    watch.start();
  });
}

it('tells the memory under ready engines of this machine, summed up over their masks', async () => {
  const { told, figures } = await look([
    replica('all', 'http://127.0.0.1:1', null),
    replica('one', 'http://localhost:2', '1'),
    replica('named', 'grpc://[::1]:3', 'GPU-aa'),
    replica('lost', 'http://127.0.0.1:4', '0,7'),
    replica('far', 'http://gpu-2.lan:5', '0'),
    replica('down', 'http://127.0.0.1:6', '0', false),
  ]);
  expect(Object.fromEntries(told)).toEqual({
    all: { totalBytes: 300 * mebibyte, freeBytes: 80 * mebibyte },
    one: { totalBytes: 200 * mebibyte, freeBytes: 20 * mebibyte },
    named: { totalBytes: 100 * mebibyte, freeBytes: 60 * mebibyte },
  });
  expect(figures.map(({ labels }) => `${labels.replicaId}/${labels.device}`)).toEqual([
    'all/0',
    'all/1',
    'one/1',
    'named/0',
    'lost/0',
  ]);
});
