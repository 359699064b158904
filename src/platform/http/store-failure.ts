const socketCodes = 'ECONNREFUSED ECONNRESET EPIPE ETIMEDOUT ENOTFOUND EAI_AGAIN EHOSTUNREACH ENETUNREACH';
const prismaCodes = 'P1001 P1002 P1008 P1017 P2024 P2037';
/** Shutting down, crashed, starting up, too many connections, disk full, read-only while recovering. */
const postgresCodes = '57P01 57P02 57P03 53300 53100 25006';
const codes: ReadonlySet<string> = new Set(`${socketCodes} ${prismaCodes} ${postgresCodes}`.split(' '));

const messages =
  /^Connection is closed|enableOfflineQueue|Connection terminated|timeout exceeded when trying to connect|^(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|MISCONF|OOM|BUSY|NOREPLICAS)\b|Command timed out|client is closing|Client has encountered a connection error/;

/** Whether an error comes from a Postgres or Redis that is away: worth a 503 and a retry, not a 500. */
export function isStoreFailure(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth > 4) return false;
  const code = 'code' in error ? String(error.code) : '';
  if (codes.has(code) || code.startsWith('08')) return true;
  if (error.name === 'MaxRetriesPerRequestError' || messages.test(error.message)) return true;
  if (error instanceof AggregateError && error.errors.some((part) => isStoreFailure(part, depth + 1))) return true;
  return isStoreFailure(error.cause, depth + 1);
}
