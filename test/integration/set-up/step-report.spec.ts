import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeTempDir } from '../../support/temp-dirs.js';
import { waitUntil } from '../../support/wait-until.js';

const reporter = pathToFileURL(join(process.cwd(), 'scripts', 'step-report.mjs')).href;

let directory: string;

beforeEach(async () => {
  directory = await makeTempDir();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('a step that takes its time to stop is ended by a Ctrl-C that arrives twice, and not left behind', async () => {
  const logFile = join(directory, 'step.log');
  const stubborn = `process.on('SIGINT', () => console.log('asked')); console.log(process.pid); setInterval(() => {}, 1000);`;
  const starter = `
    const { runStep } = await import(${JSON.stringify(reporter)});
    const command = [process.execPath, '-e', ${JSON.stringify(stubborn)}];
    await runStep({ title: 'Step', command, cwd: '/', logFile: ${JSON.stringify(logFile)}, graceMs: 300 }).catch(() => process.exit());
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', starter], { stdio: 'ignore' });
  const exit = once(child, 'exit');
  const [pid = ''] = await waitUntil('the step to run', () => said(logFile, 1));
  child.kill('SIGINT');
  await waitUntil('the step to hear of the first', () => said(logFile, 2));
  child.kill('SIGINT');
  expect(await exit).toEqual([130, null]);
  expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
});

/** The lines in the file, once there are so many. */
async function said(file: string, count: number): Promise<string[] | undefined> {
  const lines = (await readFile(file, 'utf8').catch(() => '')).trim().split('\n').filter(Boolean);
  return lines.length >= count ? lines : undefined;
}
