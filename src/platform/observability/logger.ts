import { pino, type DestinationStream, type Logger } from 'pino';
import { pinoPretty } from './pretty.js';

/** The log of the process, or a child of it with fields of its own. */
export type Log = Logger;

/** The fields log lines share with events and metrics; units and names are the same everywhere. */
export interface LogFields {
  readonly correlation_id?: string;
  readonly job_id?: string;
  readonly session_id?: string | null;
  readonly engine?: string;
  readonly engine_version?: string | null;
  readonly pool_id?: string;
  readonly replica_id?: string | null;
  readonly queue_position?: number;
  readonly predicted_start_ms?: number;
  readonly tokens_in?: number;
  readonly tokens_out?: number;
  readonly decode_time_ms?: number;
  readonly first_token_ms?: number | null;
  readonly identity?: string | null;
  readonly code?: string;
  readonly err?: unknown;
  readonly [field: string]: unknown;
}

export interface LogOptions {
  readonly level: string;
  readonly color: boolean;
  /** Names the process in every line where several write to one place. */
  readonly role?: string;
  /** Where lines go instead of standard output. */
  readonly destination?: DestinationStream;
}

const hidden = (): string => '[redacted]';

/** By key, not by path: serializers cost nothing on lines without the key. Prompts and outputs are data of our users, not of our logs. */
const serializers = {
  err: (error: unknown) => serializeError(error),
  error: (error: unknown) => serializeError(error),
  headers: hidden,
  req: hidden,
  res: hidden,
  authorization: hidden,
  token: hidden,
  authToken: hidden,
  hfToken: hidden,
  password: hidden,
  api_key: hidden,
  body: hidden,
  prompt: hidden,
  messages: hidden,
  inputs: hidden,
  output: hidden,
  text: hidden,
};

/** JSON lines; readable colour on a terminal. Lines are gathered for at most a tenth of a second and are complete at exit. */
export function createLog(options: LogOptions): Log {
  const settings = {
    level: options.level,
    base: options.role === undefined ? null : { role: options.role },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers,
  };
  if (options.destination !== undefined) return pino(settings, options.destination);
  if (process.stdout.isTTY) return pino(settings, pinoPretty(options.color));
  return pino(settings, pino.destination({ dest: 1, sync: false, minLength: 12_288, periodicFlush: 100 }));
}

/** URLs in error messages of drivers may hold the password they connected with. Pino joins the causes into message and stack. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? withoutPasswords(error) : error;
  const { type, message, stack, code } = pino.stdSerializers.err(error) as unknown as Record<string, unknown>;
  return {
    type,
    message: withoutPasswords(String(message)),
    ...(code === undefined ? {} : { code }),
    stack: withoutPasswords(String(stack)),
  };
}

function withoutPasswords(text: string): string {
  return text.replaceAll(/(\w+:\/\/[^\s:/@]*):[^\s@/]+@/g, '$1:[redacted]@');
}

/** A business event worth a person's line: `event` names it for machines, `human` says it in plain English without ids or secrets. */
export function narrate(log: Log, event: string, human: string, fields: LogFields): void {
  log.info({ ...fields, human }, event);
}
