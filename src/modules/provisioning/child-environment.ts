/** A process environment, as `platform/config` hands it out. */
export type Environment = Readonly<Record<string, string | undefined>>;

const secretName = /TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY/i;
/** Set by `npm run` for its own scripts; a nested npm or node would act on them. */
const leftByNpm = /^npm_(?:config_(?:local_)?prefix|package_|lifecycle_|command|execpath)|^(?:INIT_CWD|NODE_OPTIONS)$/i;
const hasUserInfo = /^[a-z][a-z0-9+.-]*:\/\/[^/\s]*@/i;

/**
 * What of our environment a program we start may see: no secrets (by name, or a URL with a user in it), nothing an `npm run` around us left.
 * `keep` names variables that pass nevertheless: npm needs the token of a private registry.
 */
export function childEnvironment(parent: Environment, keep: readonly string[] = []): Record<string, string> {
  const child: Record<string, string> = {};
  for (const [name, value] of Object.entries(parent)) {
    if (value === undefined) continue;
    if (keep.includes(name) || mayPass(name, value)) child[name] = value;
  }
  return child;
}

function mayPass(name: string, value: string): boolean {
  if (name === 'DATABASE_URL' || name === 'REDIS_URL') return false;
  return !secretName.test(name) && !leftByNpm.test(name) && !hasUserInfo.test(value);
}
