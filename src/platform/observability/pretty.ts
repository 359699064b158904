import type { DestinationStream } from 'pino';
import pretty from 'pino-pretty';

type LogRecord = Readonly<Record<string, unknown>>;

/** One readable line an event on a terminal: the sentence for people where there is one. Fields stay out of sight, except ids to grep by. */
export function pinoPretty(color: boolean): DestinationStream {
  return pretty({
    colorize: color,
    sync: true,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname,human,role,session_id,engine,engine_version,identity,context',
    hideObject: false,
    singleLine: true,
    messageFormat: (log: LogRecord, messageKey: string) =>
      sentenceOf(log['human']) ?? sentenceOf(log[messageKey]) ?? '',
  });
}

function sentenceOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
