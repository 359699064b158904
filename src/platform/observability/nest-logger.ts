import type { LoggerService } from '@nestjs/common';
import type { Log } from './logger.js';

/** Nest's own words in our log. Its start-up chatter (one line a route) is for debugging. */
export class NestLogger implements LoggerService {
  constructor(private readonly destination: Log) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.destination.debug({ context: contextOf(rest) }, String(message));
  }

  error(message: unknown, ...rest: unknown[]): void {
    const error = message instanceof Error ? message : undefined;
    const stack = rest.find((part) => typeof part === 'string' && part.includes('\n'));
    this.destination.error(
      { context: contextOf(rest), ...(error === undefined ? { stack } : { err: error }) },
      String(message),
    );
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.destination.warn({ context: contextOf(rest) }, String(message));
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.destination.debug({ context: contextOf(rest) }, String(message));
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.destination.trace({ context: contextOf(rest) }, String(message));
  }
}

/** Nest passes the class that speaks as the last argument. */
function contextOf(rest: readonly unknown[]): string | undefined {
  const last = rest.at(-1);
  return typeof last === 'string' && !last.includes('\n') ? last : undefined;
}
