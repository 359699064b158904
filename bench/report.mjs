import fs from 'node:fs';
import os from 'node:os';

const columns = [
  ['', (row) => row.subject],
  ['TTFT p50', (row) => decimals(row.ttftMs?.p50, 2)],
  ['p99 ms', (row) => decimals(row.ttftMs?.p99, 2)],
  ['age p50', (row) => decimals(row.ageMs?.p50, 2)],
  ['p99 ms', (row) => decimals(row.ageMs?.p99, 2)],
  ['tokens/s', (row) => (row.windowTokens > 0 ? decimals(row.tokensPerSecond, 0) : '–')],
  ['requests/s', (row) => decimals(row.requestsPerSecond, 1)],
  ['CPU µs/token', (row) => decimals(row.cpuUsPerToken, 1)],
  ['+postgres', (row) => decimals(row.postgresUsPerToken, 1)],
  ['CPU ms', (row) => decimals(row.cpuMs?.total, 0)],
  ['refused', (row) => String(row.refused)],
  ['late', (row) => String(row.late)],
  ['failed', (row) => String(row.failed)],
  ['gaps', (row) => String(row.gaps)],
  ['machine', (row) => `${Math.round(row.machineCores * 100)} %`],
  ['neighbours', (row) => `${Math.round(row.neighbourCores * 100)} %`],
];

function decimals(value, digits) {
  return typeof value === 'number' && Number.isFinite(value) ? value.toFixed(digits) : '–';
}

function tableOf(rows) {
  const cells = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, read]) => read(row)))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index].length)));
  const pad = (text, index) => (index === 0 ? text.padEnd(widths[0]) : text.padStart(widths[index]));
  return cells.map((line) => `  ${line.map(pad).join('  ')}`);
}

function failuresOf(row) {
  return Object.entries(row.failures).map(([reason, count]) => `  ${row.subject}: ${count} × ${reason}`);
}

function digitsFor(check) {
  if (check.unit === '') return 0;
  return check.limit >= 1000 ? 0 : 2;
}

function checkLine(check) {
  const digits = digitsFor(check);
  const target = `${check.sign} ${check.limit.toLocaleString('en')}`;
  const anchor = check.anchor === null ? '' : `, anchor ${decimals(check.anchor, digits)}`;
  return `  ${check.isMet ? '✓' : '✗'} ${check.label}: ${decimals(check.value, digits)} ${check.unit} (${target}${anchor})`;
}

/** On a busy machine a missed target says nothing, and a met one little. */
function noiseOf(rows) {
  const busiest = Math.max(0, ...rows.map((row) => row.neighbourCores));
  return busiest > 0.15
    ? [`  ! others used up to ${Math.round(busiest * 100)} % of a core meanwhile: measure again`]
    : [];
}

/** One scenario's outcome as lines of text. */
export function describe({ title, rows, checks, facts = [] }) {
  const table = rows.length > 0 ? tableOf(rows) : [];
  const notes = facts.map((fact) => `  ${fact}`);
  return ['', title, ...table, ...rows.flatMap(failuresOf), ...notes, ...checks.map(checkLine), ...noiseOf(rows)];
}

/** Keeps the whole run as JSON. @returns the path */
export function save(outcomes, directory) {
  fs.mkdirSync(directory, { recursive: true });
  const takenAt = new Date().toISOString();
  const file = `${directory}/${takenAt.replaceAll(/[:.]/g, '-')}.json`;
  const machine = { cpus: os.cpus().length, model: os.cpus()[0]?.model, node: process.version, kernel: os.release() };
  fs.writeFileSync(file, `${JSON.stringify({ takenAt, machine, outcomes }, null, 2)}\n`);
  return file;
}
