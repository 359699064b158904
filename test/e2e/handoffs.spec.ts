import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeDemoModel } from '../../src/modules/provisioning/demo-model/write-demo-model.js';
import { aTask, call, Deployment, submit } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { makeTempDir } from '../support/temp-dirs.js';
import { waitUntil } from '../support/wait-until.js';

interface ReplicaView {
  readonly id: string;
  readonly url: string;
  readonly ready: boolean;
  readonly last_error: string | null;
  readonly kv_bytes_per_token: number | null;
}

describe('handoff files', () => {
  let engines: [ScriptedEngine, ScriptedEngine];
  let all: Deployment;
  /** Watches the folder, and neither admits nor works. */
  let manager: RunningOrchestrator;
  let api: RunningOrchestrator;
  let directory: string;
  let folder: string;
  let storage: { data_dir: string; runtime_dir: string };

  beforeAll(async () => {
    engines = await Promise.all([ScriptedEngine.start({ slots: 2 }), ScriptedEngine.start({ slots: 2 })]);
    directory = await makeTempDir();
    storage = { data_dir: join(directory, 'data'), runtime_dir: join(directory, 'runtime') };
    folder = join(storage.runtime_dir, 'engines');
    await mkdir(folder, { recursive: true });
    await writeFile(join(directory, 'scripted.gguf'), encodeDemoModel());
    await put('default-boot.json', handoff('boot', engines[0].url));
    all = await Deployment.create({ engines: [], config: { storage } });
    [manager, api] = await Promise.all([all.start(['pool-manager']), all.start(['api', 'worker'])]);
  });

  afterAll(async () => {
    await all.drop();
    await Promise.all(engines.map((engine) => engine.die()));
    await rm(directory, { recursive: true, force: true });
  });

  function handoff(replicaId: string, url: string, change: Readonly<Record<string, unknown>> = {}) {
    const model = { id: 'scripted', path: join(directory, 'scripted.gguf') };
    const given = { provisioning_mode: 'external', device_mask: null, slots: 2, ctx_max: 4096, flags: [], pid: 1 };
    return { engine: 'llamacpp', url, pool_id: 'default', replica_id: replicaId, model, ...given, ...change };
  }

  /** As a provisioner does: whole or not at all. */
  async function put(name: string, content: unknown): Promise<void> {
    await writeFile(join(folder, 'unfinished'), JSON.stringify(content, null, 2));
    await rename(join(folder, 'unfinished'), join(folder, name));
  }

  async function replicas(): Promise<ReplicaView[]> {
    return ((await call(`${api.url}/v2/pools/default`)).body as { replicas: ReplicaView[] }).replicas;
  }

  async function untilReady(id: string, url: string): Promise<void> {
    await waitUntil(`${id} to be ready at ${url}`, async () => {
      const found = (await replicas()).find((each) => each.id === id);
      if (found?.ready !== true || found.url !== url) throw new Error(JSON.stringify(found));
      return true;
    });
  }

  async function untilGone(id: string): Promise<void> {
    await waitUntil(`${id} to be gone`, async () => (await replicas()).every((each) => each.id !== id));
  }

  const lines = (text: string): string[] =>
    manager
      .logs()
      .split('\n')
      .filter((line) => line.includes(text));

  it('that lie there at boot are bound, and their engines tested, before they get tasks', async () => {
    await untilReady('boot', engines[0].url);
    await waitUntil('the header of its model to be read', async () =>
      (await replicas()).some(({ kv_bytes_per_token: bytes }) => bytes === 256),
    );
    expect(engines[0].selfTests.brokenOff).toBeGreaterThan(0);
    const task = aTask();
    await submit(api.url, task);
    (await engines[0].run(task.prompt)).end();
    await all.untilState(task.task_id, 'completed');
  });

  it('bind when they come, move when they change, and unbind when they go; streams go on', async () => {
    await put('default-later.json', handoff('later', engines[1].url));
    await untilReady('later', engines[1].url);
    await put('default-boot.json', handoff('boot', engines[1].url));
    await untilReady('boot', engines[1].url);
    await waitUntil('a line that tells of it', () => lines('handoff changed').length > 0);
    expect(lines('handoff changed')).toHaveLength(1);
    await rm(join(folder, 'default-later.json'));
    await untilGone('later');
    const task = aTask();
    await submit(api.url, task);
    const run = await engines[1].run(task.prompt);
    run.tokens(1);
    await rm(join(folder, 'default-boot.json'));
    await untilGone('boot');
    run.tokens(1);
    run.end();
    expect(await all.untilState(task.task_id, 'completed')).toMatchObject({ tokens_out: 2 });
  });

  it('that are half-written or wrong are ignored with one line each, and bind once they are whole', async () => {
    const whole = JSON.stringify(handoff('half', engines[0].url));
    await writeFile(join(folder, 'default-half.json'), whole.slice(0, 60));
    await put('wrong.json', { ...handoff('wrong', engines[0].url), slots: 'many' });
    await put('secret.json', handoff('secret', 'http://me:hunter2@127.0.0.1:1'));
    await put('nowhere-x.json', { ...handoff('x', engines[0].url), pool_id: 'nowhere' });
    const reasons = ['no whole JSON', 'wrong or missing: slots', 'its url must hold', 'no such pool'];
    for (const reason of reasons) await waitUntil(reason, () => lines(reason).length > 0);
    expect(await replicas()).toEqual([]);
    await writeFile(join(folder, 'default-half.json'), whole);
    await untilReady('half', engines[0].url);
    // Somebody writes it anew, not in one step: what it said stays until it can be read.
    await writeFile(join(folder, 'default-half.json'), whole.slice(0, 30));
    await waitUntil('the second bad state', () => lines('no whole JSON').length > 1);
    expect(await replicas()).toMatchObject([{ id: 'half', ready: true }]);
    for (const reason of reasons.slice(1)) expect(lines(reason)).toHaveLength(1);
    expect(manager.logs()).not.toContain('hunter2');
    for (const name of ['default-half.json', 'wrong.json', 'secret.json', 'nowhere-x.json'])
      await rm(join(folder, name));
    await untilGone('half');
  });

  it('for the same replica go by the latest; one that goes while nobody watches is noticed at the next boot', async () => {
    await put('a.json', handoff('twice', engines[0].url));
    await untilReady('twice', engines[0].url);
    await put('b.json', handoff('twice', engines[1].url));
    await untilReady('twice', engines[1].url);
    await manager.kill9();
    await rm(join(folder, 'a.json'));
    await rm(join(folder, 'b.json'));
    await put('c.json', handoff('new', engines[0].url));
    // Nobody watches: what stands goes on.
    expect(await replicas()).toMatchObject([{ id: 'twice', ready: true }]);
    manager = await all.start(['pool-manager']);
    await untilGone('twice');
    await untilReady('new', engines[0].url);
  });
});
