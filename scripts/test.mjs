// npm test: set-up, then every test against a real Postgres, Redis and engine. Arguments go to vitest: npm test -- path

import './require-node.mjs';

import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const { root, setUp, workDir } = await import('./set-up.mjs');
const { line, StepFailed } = await import('./step-report.mjs');

const results = join(workDir, 'test-results.json');

try {
  await setUp();
  const code = await runTests(process.argv.slice(2));
  line(summary(code));
  process.exit(code);
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  process.exit(process.exitCode ?? 1);
}

async function runTests(args) {
  rmSync(results, { force: true });
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`];
  const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...args], { cwd: root, stdio: 'inherit' });
  // Ctrl-C reaches vitest too; it ends its stores, then we end. npm's SIGTERM reaches only us.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function summary(code) {
  const report = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  if (existsSync(results)) Object.assign(report, JSON.parse(readFileSync(results, 'utf8')));
  // A file that can't even be loaded has no tests to fail; a crash of the run has no report.
  const broken = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  const failed = Math.max(report.numFailedTests + broken.length, code === 0 ? 0 : 1);
  return `${report.numPassedTests} passed, ${failed} failed, ${report.numPendingTests + report.numTodoTests} skipped`;
}
