import { readFile } from 'node:fs/promises';
import { execa } from 'execa';

/** What tells a process from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started: on Linux the boot and the clock tick after it, elsewhere what `ps` prints. */
  readonly started: string;
}

/** The identity of a running process; null when there is none with this pid. */
export async function identify(pid: number): Promise<ProcessIdentity | null> {
  const started = process.platform === 'linux' ? await startedOnLinux(pid) : await startedByPs(pid);
  return started === null ? null : { pid, started };
}

/** The command line of a running process, arguments joined by spaces; empty when there is none. */
export async function commandLine(pid: number): Promise<string> {
  if (process.platform !== 'linux') return ps(pid, 'command=');
  const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return raw.replaceAll('\0', ' ').trim();
}

async function startedOnLinux(pid: number): Promise<string | null> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    // The name, second, is in parentheses and may hold anything; field 3 is the state, field 22 the start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    return `${boot.trim()} ${fields[19] ?? ''}`;
  } catch {
    return null;
  }
}

async function startedByPs(pid: number): Promise<string | null> {
  const started = await ps(pid, 'lstart=');
  return started === '' ? null : started;
}

async function ps(pid: number, column: string): Promise<string> {
  const result = await execa('ps', ['-o', column, '-p', String(pid)], {
    reject: false,
    stdin: 'ignore',
    timeout: 5000,
  });
  return result.stdout?.trim() ?? '';
}
