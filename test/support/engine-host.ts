import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import ts from 'typescript';
import { writeDemoModel } from '../../src/modules/provisioning/demo-model/write-demo-model.js';
import { exists, nodeLlamaCppDir, placeOnce } from './node-llama-cpp.js';

const SOURCE = join(import.meta.dirname, '../../src/processes/engine-host');
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/orchestratord');

export interface RunningEngineHost {
  url: string;
  pid: number;
  modelPath: string;
  process: ChildProcess;
  /** Asks it to end and resolves with its exit code. */
  stop(): Promise<number | null>;
}

/**
 * Starts an engine host with the demo model on a free port; `ctx` counts tokens over all slots, `change` makes another model of its file.
 */
export async function startEngineHost({
  slots = 1,
  ctx = 4096,
  args = [] as readonly string[],
  change = (gguf: Buffer): Buffer => gguf,
} = {}): Promise<RunningEngineHost> {
  const dir = await mkdtemp(join(tmpdir(), 'orchd-engine-host-'));
  const modelPath = join(dir, 'demo.gguf');
  await writeDemoModel(modelPath);
  await writeFile(modelPath, change(await readFile(modelPath)));
  const flags = ['--model', modelPath, '--parallel', `${slots}`, '--ctx-size', `${ctx}`, '--alias', 'demo', ...args];
  const child = await spawnEngineHost(flags);
  const exited = once(child, 'exit').then(async ([code]: (number | null)[]) => {
    await rm(dir, { recursive: true, force: true });
    return code ?? null;
  });
  const ready = JSON.parse(await firstLineOf(child)) as { url: string; pid: number };
  const stop = (): Promise<number | null> => {
    child.kill('SIGTERM');
    return exited;
  };
  return { ...ready, modelPath, process: child, stop };
}

/** Spawns the host with these flags beside library, port and GPU; its end follows ours. */
export async function spawnEngineHost(flags: readonly string[]): Promise<ChildProcess> {
  const library = await nodeLlamaCppDir();
  const common = ['--library', library, '--port', '0', '--gpu', 'false', '--exit-with-parent'];
  const main = join(await compileEngineHost(), 'main.js');
  return spawn(process.execPath, [main, ...common, ...flags], { stdio: ['pipe', 'pipe', 'pipe'] });
}

/** The first line on stdout; rejects with what was logged when the process ends before. */
async function firstLineOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null || child.stderr === null) throw new Error('the engine host has no output');
  let logged = '';
  child.stderr.on('data', (chunk: Buffer) => (logged += chunk.toString()));
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    lines.once('line', resolve);
    child.once('exit', (code) => reject(new Error(`engine host ended with ${code}: ${logged}`)));
  });
}

/** The sources as JavaScript that a child process can run, compiled once per content. */
async function compileEngineHost(): Promise<string> {
  const names = (await readdir(SOURCE)).filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts')).sort();
  const sources = await Promise.all(names.map((name) => readFile(join(SOURCE, name), 'utf8')));
  const digest = createHash('sha256')
    .update(JSON.stringify([names, sources]))
    .digest('hex')
    .slice(0, 16);
  const dir = join(CACHE, `engine-host-${digest}`);
  if (await exists(dir)) return dir;
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(`${dir}.tmp-`);
  await writeFile(join(unfinished, 'package.json'), '{"type":"module"}');
  const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
  const outputs = sources.map((source) => ts.transpileModule(source, { compilerOptions }).outputText);
  await Promise.all(
    names.map((name, index) => writeFile(join(unfinished, name.replace(/\.ts$/, '.js')), outputs[index] ?? '')),
  );
  await placeOnce(unfinished, dir);
  return dir;
}
