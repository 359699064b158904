import { lstatSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isMap, isPair, isScalar, LineCounter, parseDocument, type Document, type YAMLError } from 'yaml';
import type { Problem } from './problems.js';

/** What a configuration file holds, before any check of its keys. */
export interface YamlFile {
  readonly file: string;
  readonly value: unknown;
  /** Line of the key or item at this path, or of the nearest place above it that the file has. */
  lineOf(path: readonly (string | number)[]): number | undefined;
}

const defaultName = 'orchestratord.yaml';
/** Behind the first faults of a syntax come those that follow from them; a file that is no YAML at all has thousands. */
const faultsTold = 10;
const longestMessage = 200;

/** Reads the file `ORCHD_CONFIG` names, else `./orchestratord.yaml` when it is there; null when there is none. */
export function readYamlFile(
  named: string | undefined,
  cwd: string,
): { yaml: YamlFile | null } | { problems: Problem[] } {
  const file = resolve(cwd, named ?? defaultName);
  // A link that leads nowhere is no absence: whoever made it means a file.
  if (named === undefined && lstatSync(file, { throwIfNoEntry: false }) === undefined) return { yaml: null };
  try {
    return parseYaml(readFileSync(file, 'utf8'), file);
  } catch (error) {
    return { problems: [{ path: 'ORCHD_CONFIG', problem: `the file ${file} cannot be read: ${reasonOf(error)}` }] };
  }
}

function parseYaml(text: string, file: string): { yaml: YamlFile } | { problems: Problem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return {
      problems: faults.slice(0, faultsTold).map((fault) => {
        const { line, col } = lines.linePos(fault.pos[0]);
        return { path: 'YAML', problem: messageOf(fault), file, line, column: col };
      }),
    };
  }
  try {
    // The cap keeps a few lines of nested aliases from unfolding into gigabytes.
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return { yaml: { file, value: value ?? {}, lineOf: (path) => lineOf(document, lines, path) } };
  } catch (error) {
    return { problems: [{ path: 'YAML', problem: reasonOf(error), file }] };
  }
}

/** What the parser says, which may quote all that is left of the file. */
function messageOf({ code, message }: YAMLError): string {
  if (code === 'MULTIPLE_DOCS') return 'A second document begins here: remove the line ---, or what follows it';
  const printable = message.replaceAll(/\p{Cc}/gu, ' ');
  return printable.length > longestMessage ? `${printable.slice(0, longestMessage)}…` : printable;
}

function lineOf(document: Document, lines: LineCounter, path: readonly (string | number)[]): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const parent: unknown = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const key = isMap(parent)
      ? parent.items.find((pair) => isPair(pair) && isScalar(pair.key) && String(pair.key.value) === String(last))?.key
      : document.getIn(path.slice(0, length), true);
    const offset = (key as { range?: readonly number[] | null } | undefined)?.range?.[0];
    if (offset !== undefined) return lines.linePos(offset).line;
  }
  return undefined;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ENOENT') return 'it does not exist';
  if ('code' in error && error.code === 'EISDIR') return 'it is a directory';
  return error.message;
}
