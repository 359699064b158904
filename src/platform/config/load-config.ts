import { config as configSchema, type Config } from '../../contract/config.js';
import { check } from '../validation/explain-issue.js';
import type { AppConfig } from './app-config.js';
import { checkConfig } from './check-config.js';
import { compileConfig } from './compile-config.js';
import { attachedPool, demoConfig } from './demo-config.js';
import { dotted, type Problem } from './problems.js';
import { readEngineKeys } from './engine-keys.js';
import { readEnvironment, type Environment, type EnvironmentSettings, type Override } from './read-environment.js';
import { readYamlFile, type YamlFile } from './read-yaml.js';
import { salvage } from './salvage.js';

export type LoadedConfig = { readonly config: AppConfig } | { readonly problems: readonly Problem[] };

/**
 * Reads the file and the environment into one checked configuration. All problems are reported at once; a caller that gets problems starts
 * nothing, prints `reportProblems` and exits with 78. This is the only reader of the environment.
 */
export function loadConfig(options: { readonly env?: Environment; readonly cwd?: string } = {}): LoadedConfig {
  const cwd = options.cwd ?? process.cwd();
  const env = options.env ?? process.env;
  const environment = readEnvironment(env, cwd);
  const read = readYamlFile(environment.configFile, cwd);
  if ('problems' in read) return { problems: [...environment.problems, ...read.problems] };
  const draft = assemble(read.yaml, environment);
  const checked = checkDraft(draft, environment);
  const { keys, problems: badKeys } = readEngineKeys(checked.config?.pools ?? [], env, cwd);
  const problems = [
    ...environment.problems,
    ...draft.problems,
    ...checked.problems,
    ...badKeys.map((finding) => located(finding, draft)),
  ];
  if (checked.config === null || problems.length > 0) return { problems };
  const source = { file: read.yaml?.file ?? null, isDemo: read.yaml === null };
  return { config: compileConfig(checked.config, { environment, engineKeys: keys }, cwd, source) };
}

/** The raw configuration before its check, and where each part of it came from. */
interface Draft {
  readonly value: unknown;
  readonly yaml: YamlFile | null;
  readonly overrides: readonly Override[];
  readonly problems: readonly Problem[];
}

function assemble(yaml: YamlFile | null, environment: EnvironmentSettings): Draft {
  const { llamacppUrl, model } = environment;
  const problems: Problem[] = [];
  const overrides: Override[] = [...environment.overrides];
  if (yaml === null) {
    const value = demoConfig(llamacppUrl, model);
    const shown: Override[] = [];
    if (llamacppUrl !== undefined)
      shown.push({ variable: 'ORCHD_LLAMACPP_URL', path: ['pools', 0, 'replicas', 0, 'url'], value: llamacppUrl });
    if (model !== undefined) shown.push({ variable: 'MODEL', path: ['pools', 0, 'model', 'ref'], value: model });
    return { value: overlay(value, overrides), yaml, overrides: [...overrides, ...shown], problems };
  }
  const pools = poolsOf(yaml.value);
  if (model !== undefined) overrideModel(pools, model, overrides, problems);
  if (llamacppUrl !== undefined) attach(pools, llamacppUrl, overrides, problems);
  return { value: overlay(yaml.value, overrides), yaml, overrides, problems };
}

function overrideModel(pools: readonly unknown[], model: string, overrides: Override[], problems: Problem[]): void {
  const packaged = pools.flatMap((pool, index) =>
    get(get(pool, 'provisioning'), 'mode') === 'package' ? [index] : [],
  );
  const [only] = packaged;
  if (only === undefined || packaged.length > 1) {
    const problem = `needs exactly one pool in package mode in the configuration file, which has ${packaged.length}; set model.ref there instead`;
    problems.push({ path: 'MODEL', problem });
    return;
  }
  overrides.push({ variable: 'MODEL', path: ['pools', only, 'model', 'ref'], value: model });
}

function attach(pools: readonly unknown[], url: string, overrides: Override[], problems: Problem[]): void {
  if (pools.some((pool) => get(pool, 'id') === 'default')) {
    const problem =
      'attaches a server as pool "default", but the configuration file defines that pool already; drop one of them';
    problems.push({ path: 'ORCHD_LLAMACPP_URL', problem });
    return;
  }
  overrides.push({
    variable: 'ORCHD_LLAMACPP_URL',
    path: ['pools', pools.length],
    value: attachedPool(url, undefined),
  });
}

/** Sets the overridden keys in a copy. Where the file holds something of the wrong shape it is left for the schema to refuse. */
function overlay(value: unknown, overrides: readonly Override[]): unknown {
  const copy: unknown = structuredClone(value);
  for (const { path, value: replacement } of overrides) {
    let place: unknown = copy;
    for (const [depth, part] of path.slice(0, -1).entries()) {
      if (!isObject(place)) break;
      place[part] ??= typeof path[depth + 1] === 'number' ? [] : {};
      place = place[part];
    }
    const last = path.at(-1);
    if (isObject(place) && last !== undefined) place[last] = replacement;
  }
  return copy;
}

function checkDraft(draft: Draft, environment: EnvironmentSettings): { config: Config | null; problems: Problem[] } {
  const shaped = check(configSchema, draft.value);
  const misshapen = shaped.ok ? [] : shaped.findings;
  const config = shaped.ok ? shaped.value : salvage(draft.value, misshapen);
  // A token that was given but refused is a problem already; asking for one again would mislead.
  const hasToken =
    environment.authToken !== null || environment.problems.some(({ path }) => path.startsWith('AUTH_TOKEN'));
  const contradictions = config === null ? [] : checkConfig(config, hasToken);
  const problems = [...misshapen, ...contradictions].map((finding) => located(finding, draft));
  return { config: shaped.ok ? shaped.value : null, problems };
}

function located(finding: { path: readonly (string | number)[]; problem: string }, draft: Draft): Problem {
  const override = draft.overrides.find(({ path }) => path.every((part, index) => finding.path[index] === part));
  if (override !== undefined) return { path: override.variable, problem: finding.problem };
  const path = finding.path.length === 0 ? 'configuration' : dotted(finding.path);
  if (draft.yaml === null) return { path, problem: finding.problem };
  const line = draft.yaml.lineOf(finding.path);
  return { path, problem: finding.problem, file: draft.yaml.file, ...(line === undefined ? {} : { line }) };
}

function poolsOf(value: unknown): readonly unknown[] {
  const pools = get(value, 'pools');
  return Array.isArray(pools) ? pools : [];
}

function get(value: unknown, key: string): unknown {
  return isObject(value) ? value[key] : undefined;
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}
