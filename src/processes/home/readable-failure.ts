import { isStoreFailure } from '../../platform/http/store-failure.js';
import { LocalStoreError } from '../../platform/local-stores/index.js';
import { MigrationError } from '../../platform/database/migration.errors.js';
import { RedisConnectionError } from '../../platform/redis/redis-connection.errors.js';

/** Their messages say what is wrong and what to do. */
const ours = [LocalStoreError, MigrationError, RedisConnectionError];

/** One message for a start that failed: what, and what to do. Our own errors say both; others keep their stack. */
export function readableFailure(error: unknown): string {
  if (!(error instanceof Error)) return `Could not start: ${String(error)}`;
  if (ours.some((kind) => error instanceof kind)) return `Could not start: ${error.message}`;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const cause = listeningProblem(error, code);
  if (cause !== null) return `Could not start: ${cause}`;
  if (isStoreFailure(error))
    return `Could not start: a store does not answer (${withoutPassword(error.message)}). Check REDIS_URL and DATABASE_URL.`;
  return `Could not start: ${withoutPassword(error.stack ?? error.message)}`;
}

/** What keeps us from the address that BIND_ADDR names; null: something else is wrong. */
function listeningProblem(error: Error, code: string): string | null {
  if (code === 'EADDRINUSE')
    return 'the address is taken by another program, perhaps a server that runs already. Stop it, or set BIND_ADDR, for example BIND_ADDR=127.0.0.1:8090.';
  if (code === 'EADDRNOTAVAIL')
    return `this machine has no such address (${error.message}). Set BIND_ADDR to one that it has, for example 0.0.0.0:8080.`;
  if (code === 'EACCES') return `${error.message}. Ports under 1024 need root; set BIND_ADDR.`;
  // Look-ups for a store come wrapped in an error of ours.
  if ('syscall' in error && error.syscall === 'getaddrinfo' && 'hostname' in error)
    return `nobody here knows the host ${String(error.hostname)} (${code}). Set BIND_ADDR to an address of this machine, for example 127.0.0.1:8080.`;
  return null;
}

function withoutPassword(text: string): string {
  return text.replaceAll(/(\w+:\/\/[^\s:/@]*):[^\s@/]+@/g, '$1:[redacted]@');
}
