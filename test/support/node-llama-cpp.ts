import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const VERSION = '3.22.1';
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/orchestratord');

/**
 * A folder whose node_modules holds node-llama-cpp and its CPU binary for this machine, installed from npm once.
 * The finished folder appears by a rename, so test files that start together don't see each other's halves.
 */
export async function nodeLlamaCppDir(): Promise<string> {
  const dir = join(CACHE, `node-llama-cpp-${VERSION}`);
  if (await exists(dir)) return dir;
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(`${dir}.tmp-`);
  await writeFile(join(unfinished, 'package.json'), '{"private":true}');
  const packages = [`node-llama-cpp@${VERSION}`, `${platformPackage()}@${VERSION}`];
  const flags = ['--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund', '--prefer-offline'];
  await promisify(execFile)('npm', ['install', ...flags, ...packages], { cwd: unfinished });
  await placeOnce(unfinished, dir);
  return dir;
}

/** Renames `unfinished` to `dir`, or drops it when another process was first. */
export async function placeOnce(unfinished: string, dir: string): Promise<void> {
  await mkdir(dirname(dir), { recursive: true });
  try {
    await rename(unfinished, dir);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (!(await exists(dir))) throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function platformPackage(): string {
  if (process.platform === 'darwin')
    return process.arch === 'arm64' ? '@node-llama-cpp/mac-arm64-metal' : '@node-llama-cpp/mac-x64';
  return `@node-llama-cpp/linux-${process.arch === 'arm' ? 'armv7l' : process.arch}`;
}
