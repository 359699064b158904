import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineCommand } from './engine-command.js';
import type { EngineLog } from './engine-log.js';
import { removePidFile, writePidFile } from './pid-file.js';

/** How an engine's process came to its end. */
export interface EngineExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface EngineFiles {
  readonly log: EngineLog;
  readonly pidFile: string;
  /** A piece of the command line that proves a process to be this engine. */
  readonly mark: string;
}

/**
 * Runs a program that knows nothing of parents so that it dies with us. The shell becomes the program by `exec`, keeping its pid; a child of it
 * waits for the end of our pipe, which the kernel closes however we die, and then kills the process group. While that child lives the system
 * gives the group's number to nobody else, so it can't hit a stranger. (No `--` before it: dash does not know that.)
 */
const GUARD = 'exec 3<&0 </dev/null; { read -r _ <&3; kill -KILL "-$$"; } >/dev/null 2>&1 & exec 3<&-; exec "$@"';

/** One engine process: started, watched and stopped. It never outlives us, whatever kills us. */
export class EngineProcess {
  readonly pid: number;
  /** Resolves when the process is gone. */
  readonly exited: Promise<EngineExit>;
  private hasExited = false;

  private constructor(
    private readonly child: ChildProcess,
    pid: number,
    private readonly files: EngineFiles,
  ) {
    this.pid = pid;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.hasExited = true;
        resolve({ code, signal });
      });
    });
    // The pipe breaks when the engine goes first.
    child.stdin?.on('error', () => undefined);
  }

  /** Throws what spawn throws: no such program, no permission, too many processes. */
  static async start(command: EngineCommand, files: EngineFiles): Promise<EngineProcess> {
    const log = await files.log.openNew();
    try {
      const [program, args] = command.endsWithInput
        ? [command.program, command.args]
        : ['/bin/sh', ['-c', GUARD, 'sh', command.program, ...command.args]];
      // A group of its own: Ctrl-C at a terminal reaches us, who let running tasks end, and not the engine.
      const child = spawn(program, args, { env: command.environment, stdio: ['pipe', log.fd, log.fd], detached: true });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      const engine = new EngineProcess(child, child.pid ?? 0, files);
      await writePidFile(files.pidFile, engine.pid, files.mark);
      return engine;
    } finally {
      await log.close();
    }
  }

  /** Asks the engine to end, then makes it. Resolves when it is gone. */
  async stop(graceMs: number): Promise<EngineExit> {
    if (!this.hasExited) this.child.kill('SIGTERM');
    const timer = new AbortController();
    const overdue = delay(graceMs, 'overdue' as const, { signal: timer.signal }).catch(() => 'in time' as const);
    const first = await Promise.race([this.exited, overdue]);
    timer.abort();
    if (first === 'overdue' && !this.hasExited) this.child.kill('SIGKILL');
    const exit = await this.exited;
    await removePidFile(this.files.pidFile);
    return exit;
  }
}

/** An exit in words: `exit code 1`, `signal SIGSEGV`. */
export function exitText(exit: EngineExit): string {
  return exit.signal === null ? `exit code ${exit.code ?? 'unknown'}` : `signal ${exit.signal}`;
}
