import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const program = join(import.meta.dirname, '../../bench/engine-simulator.mjs');

export interface RunningSimulator {
  readonly url: string;
  /** Tokens per second of a stream (0: as fast as sockets drain) and delay of the first token, from the next request on. */
  pace(pace: { readonly tokensPerSecond?: number; readonly firstTokenMs?: number }): void;
  /** How many slots are decoding. */
  busySlots(): Promise<number>;
  stop(): Promise<void>;
}

/** An engine without a model in a process of its own: streams as many tokens as it is asked for, at a pace. Ends with us. */
export async function startEngineSimulator({
  slots = 4,
  tokensPerSecond = 0,
  firstTokenMs = 0,
} = {}): Promise<RunningSimulator> {
  const flags = { slots, 'tokens-per-s': tokensPerSecond, 'first-token-ms': firstTokenMs };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const { port } = JSON.parse(await firstLine(child)) as { port: number };
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    pace: (pace) => void child.stdin.write(`${JSON.stringify(pace)}\n`),
    busySlots: async () => {
      const list = (await (await fetch(`${url}/slots`)).json()) as { is_processing: boolean }[];
      return list.filter((slot) => slot.is_processing).length;
    },
    stop: async () => {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the simulator has no output');
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return line;
}
