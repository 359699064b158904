// npm start: set-up, then the server in this very process, so that signals, exit code and terminal need no forwarding.
// (`exec` in package.json takes away the shell between npm and us, which would swallow a SIGTERM. After a Ctrl-C we get
// SIGINT twice: from the terminal and from npm.)

import './require-node.mjs';

import process, { env } from 'node:process';

const { setUp } = await import('./set-up.mjs');
const { StepFailed } = await import('./step-report.mjs');

try {
  await setUp();
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  process.exit(process.exitCode ?? 1);
}
endWithNpm();
await import('../dist/bundled/orchestratord.js');

/** npm passes signals on, but one that is killed outright would leave the server running in the background. */
function endWithNpm() {
  if (env.npm_lifecycle_event !== 'start') return;
  const npm = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 1_000);
  watch.unref();
}
