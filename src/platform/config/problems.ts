/** One reason why a configuration is refused. */
export interface Problem {
  /** Dotted path of the key (`pools[0].engine.id`), the environment variable, or the file. */
  readonly path: string;
  /** What is wrong and what to do, to be read behind the path. */
  readonly problem: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

/** `pools[0].engine.id` */
export function dotted(path: readonly (string | number)[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** The report a person reads when nothing was started: one line a problem, in the order of the file. */
export function reportProblems(problems: readonly Problem[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const sorted = problems.toSorted((left, right) => (left.line ?? 0) - (right.line ?? 0));
  return [
    `orchestratord cannot start: ${count} in its configuration.`,
    '',
    ...sorted.map((problem) => `  ${placeOf(problem)}${problem.path}: ${problem.problem}`),
    '',
    'Nothing was started. Every key is described in openapi/config.schema.json.',
    '',
  ].join('\n');
}

function placeOf(problem: Problem): string {
  if (problem.file === undefined) return '';
  const line = problem.line === undefined ? '' : `:${problem.line}`;
  const column = problem.column === undefined ? '' : `:${problem.column}`;
  return `${problem.file}${line}${column}  `;
}
