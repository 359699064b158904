// Shows long steps to a person: a live line on a terminal, plain lines elsewhere, what a tool printed only when it failed.

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import process, { env } from 'node:process';

const isLive = process.stdout.isTTY === true && env.TERM !== 'dumb';
const hasColor = process.stdout.isTTY === true && !env.NO_COLOR;
const paint = (code, text) => (hasColor ? `\u001B[${code}m${text}\u001B[0m` : text);
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const PLAIN_EVERY_MS = 10_000;
const LAST_LINES = 30;
/** npm first finishes unpacking and then takes all of it back, a minute and more. What a killed step leaves half done has no stamp and is done anew. */
const GRACE_MS = 2_000;

/** A step failed and the person has been told; whoever catches it only has to end. */
export class StepFailed extends Error {}

/**
 * Runs a command as a step with progress.
 *
 * @param {object} step
 * @param {string} step.title what is being done, e.g. `Installing dependencies`
 * @param {string[]} step.command program and arguments
 * @param {string} step.cwd
 * @param {string} step.logFile gets everything the command prints
 * @param {() => string} [step.detail] how far it is, asked about once a second
 * @param {number} [step.graceMs] how long it may take to stop when we are told to
 */
export async function runStep({ title, command, cwd, logFile, detail, graceMs = GRACE_MS }) {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'w');
  const [program, ...args] = command;
  const child = spawn(program, args, { cwd, stdio: ['ignore', log, log] });
  closeSync(log);
  const stopTicking = showProgress(title, detail);
  // A Ctrl-C arrives twice, from the terminal and from npm, and is waited for both times: a step left behind would go on writing beside the next start.
  let killing;
  const endChild = (signal) => {
    process.exitCode = signal === 'SIGINT' ? 130 : 143;
    child.kill(signal);
    killing ??= setTimeout(() => child.kill('SIGKILL'), graceMs);
  };
  process.on('SIGINT', endChild).on('SIGTERM', endChild);
  const startedAt = Date.now();
  const failure = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) =>
      resolve(code === 0 ? undefined : signal === null ? `exit code ${code}` : `ended by ${signal}`),
    );
  });
  process.removeListener('SIGINT', endChild).removeListener('SIGTERM', endChild);
  clearTimeout(killing);
  stopTicking();
  if (failure === undefined) {
    line(`${paint(32, '✓')} ${title} ${paint(2, `(${seconds(startedAt)})`)}`);
    return;
  }
  if (process.exitCode === undefined) reportFailure(title, failure, command, logFile);
  throw new StepFailed(title);
}

export function line(text) {
  process.stdout.write(`${text}\n`);
}

function showProgress(title, detail) {
  const startedAt = Date.now();
  let frame = 0;
  let status = '';
  if (!isLive) line(`- ${title} …`);
  const refresh = () => {
    status = detail === undefined ? '' : ` ${detail()}`;
  };
  const draw = () => {
    frame += 1;
    if (frame % 10 === 0) refresh();
    process.stdout.write(
      `\r\u001B[K${paint(36, FRAMES[frame % FRAMES.length])} ${title}${status} ${paint(2, seconds(startedAt))}`,
    );
  };
  const plain = () => {
    refresh();
    line(`  ${title}${status}, ${seconds(startedAt)} so far`);
  };
  const timer = setInterval(isLive ? draw : plain, isLive ? 100 : PLAIN_EVERY_MS);
  return () => {
    clearInterval(timer);
    if (isLive) process.stdout.write('\r\u001B[K');
  };
}

function reportFailure(title, failure, command, logFile) {
  const output = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LAST_LINES);
  process.stderr.write(
    `${paint(31, '✗')} ${title} failed (${failure}).\n\n${output.join('\n')}\n\n` +
      `The command was: ${command.join(' ')}\nAll it said: ${logFile}\n`,
  );
}

function seconds(startedAt) {
  return `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
}
