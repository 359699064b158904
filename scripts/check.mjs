// npm run check: everything that needs no server. Says all that is wrong, not only the first thing.

import './require-node.mjs';

import { spawnSync } from 'node:child_process';
import process, { env } from 'node:process';

const { root, setUp } = await import('./set-up.mjs');
const { line, StepFailed } = await import('./step-report.mjs');

const CHECKS = ['format:check', 'lint', 'typecheck', 'boundaries', 'unused', 'openapi:check'];
const npm = env.npm_execpath === undefined ? ['npm'] : [process.execPath, env.npm_execpath];

// Most checks also make sense for code that doesn't compile, and say more.
const isBuilt = await setUp().then(
  () => true,
  (error) => {
    if (error instanceof StepFailed) return false;
    throw error;
  },
);
const failed = CHECKS.filter((name) => {
  line(`\n── ${name}`);
  const [program, ...args] = npm;
  return spawnSync(program, [...args, 'run', '--silent', name], { cwd: root, stdio: 'inherit' }).status !== 0;
});
if (!isBuilt) failed.unshift('set-up');

line(failed.length === 0 ? '\nAll checks passed.' : `\nFailed: ${failed.join(', ')}`);
process.exit(failed.length === 0 ? 0 : 1);
