import { config as configSchema, type Config } from '../../contract/config.js';
import { check, type Finding } from '../validation/explain-issue.js';

/**
 * The part of a misshapen configuration that can still be checked for contradictions, so that one report tells everything. What is wrong is
 * left out; a wrong pool leaves a harmless one in its place, so that the others keep their index. null when nothing can be saved.
 */
export function salvage(value: unknown, findings: readonly Finding[]): Config | null {
  if (!isObject(value)) return null;
  const copy = structuredClone(value);
  for (const { path } of findings) {
    const [section, index] = path;
    if (section === 'pools' && typeof index === 'number') remove(copy, ['pools', index], placeholder(index));
    else remove(copy, path);
  }
  // Pools are judged by the policy; without it nothing fair can be said of them.
  if (findings.some(({ path }) => path[0] === 'policy')) delete copy['pools'];
  const checked = check(configSchema, copy);
  return checked.ok ? checked.value : null;
}

function placeholder(index: number): object {
  return { id: `misshapen-${index}`, engine: { id: 'llamacpp' }, model: { ref: 'misshapen' } };
}

function remove(
  root: Record<string | number, unknown>,
  path: readonly (string | number)[],
  replacement?: unknown,
): void {
  let place: unknown = root;
  for (const part of path.slice(0, -1)) place = isObject(place) ? place[part] : undefined;
  const last = path.at(-1);
  if (!isObject(place) || last === undefined) return;
  if (replacement === undefined) delete place[last];
  else place[last] = replacement;
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}
