import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Duplex, Readable } from 'node:stream';

import { LocalStoreError } from './local-store.errors.js';

export interface ServerCommand {
  readonly command: readonly string[];
  /** What makes this server stop gracefully. */
  readonly stopSignal: 'INT' | 'TERM';
  /** How long it may take to stop before it is killed, whole seconds. */
  readonly graceSeconds: number;
  /** Where its output is appended. */
  readonly logFile: string;
  /** Where its pid is written, for whoever cleans up after a crash of everything. */
  readonly pidFile: string;
}

export interface GuardedServer {
  readonly pid: number;
  /** Resolves when the server is gone, whoever ended it. Never rejects. */
  readonly exited: Promise<void>;
  /** Graceful stop, then SIGKILL after the grace time; resolves when the server is gone. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Runs the server and stops it when fd 3 ends: because we closed it, or because this process is gone, however it
 * died. `$1` stop signal, `$2` grace in seconds, `$3` pid file, then the command. Signals are trapped and not ignored,
 * since an ignored signal would be inherited by the server.
 */
const GUARDIAN = `
trap : HUP INT TERM PIPE
signal=$1 grace=$2 pid_file=$3
shift 3
"$@" </dev/null >&2 3<&- &
server=$!
echo "$server" >"$pid_file"
echo "$server"
exec >/dev/null
(
  read -r _ <&3
  kill -s "$signal" "$server" 2>/dev/null
  left=$((grace * 10))
  while [ "$left" -gt 0 ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; left=$((left - 1)); done
  kill -s KILL "$server" 2>/dev/null
) &
watcher=$!
exec 3<&-
wait "$server"
while [ $? -gt 128 ] && kill -0 "$server" 2>/dev/null; do wait "$server"; done
rm -f "$pid_file"
kill "$watcher" 2>/dev/null
exit 0
`;

/**
 * Starts a server that cannot outlive this process, not even through `kill -9`: its parent is a tiny shell that holds
 * the read end of a pipe from us. It runs in a session of its own, so that a Ctrl-C in the terminal reaches only us and
 * we decide what stops when.
 */
export async function startGuarded(options: ServerCommand): Promise<GuardedServer> {
  const logFd = openSync(options.logFile, 'a', 0o600);
  const guardian = spawn(
    '/bin/sh',
    [
      '-c',
      GUARDIAN,
      'store-guardian',
      options.stopSignal,
      String(options.graceSeconds),
      options.pidFile,
      ...options.command,
    ],
    { cwd: '/', detached: true, stdio: ['ignore', 'pipe', logFd, 'pipe'] },
  );
  closeSync(logFd);
  const exited = new Promise<void>((resolve) => {
    guardian.once('exit', () => resolve());
    guardian.once('error', () => resolve());
  });
  const lifeline = guardian.stdio[3] as Duplex;
  lifeline.on('error', () => undefined);
  lifeline.resume();
  const pid = await readPid(guardian.stdout as Readable);
  if (pid === undefined) throw new LocalStoreError(`could not start ${options.command[0]}: /bin/sh did not run`);
  // A store must not keep the process alive once everything else has ended.
  guardian.unref();
  (lifeline as Duplex & { unref(): void }).unref();

  const stop = async (): Promise<void> => {
    guardian.ref();
    lifeline.destroy();
    const deadline = setTimeout(() => killQuietly(pid), (options.graceSeconds + 5) * 1000);
    await exited;
    clearTimeout(deadline);
  };
  return { pid, exited, stop };
}

/** Sends SIGKILL, or the signal given; a process that is already gone is fine. */
export function killQuietly(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Already gone.
  }
}

async function readPid(stdout: Readable): Promise<number | undefined> {
  const lines = createInterface({ input: stdout });
  const closed = once(lines, 'close').then(() => []);
  const [line] = (await Promise.race([once(lines, 'line'), closed])) as [string?];
  lines.close();
  stdout.destroy();
  const pid = Number(line);
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}
