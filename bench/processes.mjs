import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import readline from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const msPerClockTick = 10; // USER_HZ is 100 on every Linux that Node runs on

function readProc(path) {
  try {
    return fs.readFileSync(`/proc/${path}`, 'latin1');
  } catch {
    return ''; // it ended meanwhile
  }
}

/** @returns {{pid: number, parent: number, name: string, cpuMs: number} | null} */
function readStat(pid) {
  const stat = readProc(`${pid}/stat`);
  const nameEnd = stat.lastIndexOf(')');
  if (nameEnd < 0) return null;
  const fields = stat.slice(nameEnd + 2).split(' ');
  if (fields[0] === 'Z') return null; // it has ended; only its parent has not asked yet
  const cpuMs = (Number(fields[11]) + Number(fields[12])) * msPerClockTick;
  return { pid, parent: Number(fields[1]), name: stat.slice(stat.indexOf('(') + 1, nameEnd), cpuMs };
}

function allProcesses() {
  const pids = fs.readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.map((pid) => readStat(Number(pid))).filter((process) => process !== null);
}

/**
 * `roots`, all that descends from them, and what names `directory` on its command line: a daemon that has left its
 * parent is still found by its data directory.
 */
export function findFamily(roots, directory) {
  const processes = allProcesses();
  const family = new Set(roots);
  if (directory !== null) {
    for (const { pid } of processes) if (readProc(`${pid}/cmdline`).includes(directory)) family.add(pid);
  }
  for (let before = -1; before !== family.size;) {
    before = family.size;
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid);
  }
  return processes.filter(({ pid }) => family.has(pid));
}

/** The same processes as they are now, without looking for others: what that costs would be seen in the tokens of a busy moment. */
export function readAgain(family) {
  return family.map(({ pid }) => readStat(pid)).filter((process) => process !== null);
}

/** CPU milliseconds that a family has used so far, by kind of process. */
export function cpuByKind(family) {
  const sum = { node: 0, redis: 0, postgres: 0 };
  for (const { name, cpuMs } of family) {
    if (/redis|valkey/.test(name)) sum.redis += cpuMs;
    else if (name.includes('postgres')) sum.postgres += cpuMs;
    else sum.node += cpuMs;
  }
  return sum;
}

/** CPU milliseconds that all processes of the machine used so far; tells how busy the neighbours were. */
export function readMachineCpuMs() {
  const [user, nice, system, , , irq, softIrq] = readProc('stat').slice(5).trim().split(/\s+/).map(Number);
  return (user + nice + system + irq + softIrq) * msPerClockTick;
}

/** Starts a script of this folder with a line protocol on stdout; it ends when its stdin closes. */
export function spawnHelper(script, args) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = readline.createInterface({ input: child.stdout });
  const exited = once(child, 'close'); // unlike 'exit', after the last line of stdout
  const stop = async () => {
    child.stdin.destroy();
    await Promise.race([exited, sleep(2000)]);
    if (child.exitCode === null) child.kill('SIGKILL');
  };
  return { child, lines, exited, stop };
}

/** Starts a helper that announces its port. */
export async function spawnListener(script, args) {
  const helper = spawnHelper(script, args);
  const [line] = await Promise.race([
    once(helper.lines, 'line'),
    helper.exited.then(() => Promise.reject(new Error(`${script} ended before it listened`))),
  ]);
  return { ...helper, pid: helper.child.pid, port: JSON.parse(line).port };
}

/** Waits for processes that were asked to end; kills, by pid, those that have not after `graceMs`. */
export async function endProcesses(find, graceMs) {
  const alive = () => find().filter(({ pid }) => readStat(pid) !== null);
  const signal = (pids, name) => {
    for (const { pid } of pids) {
      try {
        process.kill(pid, name);
      } catch {
        // It ended by itself.
      }
    }
  };
  const deadline = Date.now() + graceMs;
  while (alive().length > 0 && Date.now() < deadline) await sleep(50);
  signal(alive(), 'SIGKILL');
}
