import type { Socket } from 'node:net';
import type { Redis } from 'ioredis';
import { atTurnsEnd } from '../gathering/turns-end.js';

/** Commands that are sent together at most: Redis works on them while the turn makes the next. */
const gatheredCommands = 16;

/**
 * Sends what one turn of the event loop writes in few system calls: ioredis makes one for each command, and each wakes the server up. Call
 * once a connection stands, each time anew.
 */
export function gatherWrites(connection: Redis): void {
  const { stream } = connection as unknown as { readonly stream: Socket };
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let gathered = 0;
  const release = (): void => {
    if (gathered === 0) return;
    gathered = 0;
    stream.uncork();
  };
  stream.write = (...args: unknown[]): boolean => {
    if (gathered === 0) {
      stream.cork();
      atTurnsEnd(release);
    }
    gathered += 1;
    const isTaken = write(...args);
    if (gathered === gatheredCommands) release();
    return isTaken;
  };
}
