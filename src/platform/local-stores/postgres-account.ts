import { execFile } from 'node:child_process';
import { chown, readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';

import { LocalStoreError } from './local-store.errors.js';
import { messageOf } from '../errors/message-of.js';

const run = promisify(execFile);

/** Under whose name the server runs. Postgres refuses to run as root. */
export interface PostgresAccount {
  /** The command that runs `command` under this account. */
  wrap(command: readonly string[]): readonly string[];
  /** Gives a file or directory to this account. */
  adopt(path: string): Promise<void>;
}

interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
}

const OWN_ACCOUNT_NAME = 'orchestratord';

/**
 * Chooses the account and makes sure it can really reach the program and the data.
 * Refuses with advice when no way to do that exists on this machine.
 *
 * @param dataDir an existing one is run by whoever owns it
 * @param probes commands that must succeed under the account
 */
export async function choosePostgresAccount(
  dataDir: string,
  probes: readonly (readonly string[])[],
): Promise<PostgresAccount> {
  const owner = await stat(dataDir).catch(() => undefined);
  const uid = process.getuid?.() ?? -1;
  if (uid !== 0) {
    if (owner !== undefined && owner.uid !== uid) {
      throw new LocalStoreError(
        `${dataDir} belongs to user id ${owner.uid}, this process runs as ${uid}. Start as the user that made it, or choose another storage.data_dir, or set DATABASE_URL.`,
      );
    }
    return { wrap: (command) => command, adopt: async () => undefined };
  }
  if (process.platform !== 'linux') {
    throw new LocalStoreError(
      'Postgres refuses to run as root. Start as an ordinary user, or set DATABASE_URL to a Postgres of yours.',
    );
  }
  const account =
    owner === undefined || owner.uid === 0
      ? await findAccount()
      : { uid: owner.uid, gid: owner.gid, name: `user id ${owner.uid}` };
  return { wrap: await switchTo(account, dataDir, probes), adopt: (path) => chown(path, account.uid, account.gid) };
}

async function findAccount(): Promise<Account> {
  const known = (await namedAccount('postgres')) ?? (await namedAccount(OWN_ACCOUNT_NAME));
  if (known !== undefined) return known;
  const options = [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir',
    '/nonexistent',
    '--shell',
    '/usr/sbin/nologin',
  ];
  await run('useradd', [...options, OWN_ACCOUNT_NAME]).catch(() => undefined);
  const account = (await namedAccount(OWN_ACCOUNT_NAME)) ?? (await namedAccount('nobody'));
  if (account === undefined) {
    throw new LocalStoreError(
      'Postgres refuses to run as root, and no other user exists here. Create one named "postgres", or set DATABASE_URL.',
    );
  }
  return account;
}

async function namedAccount(name: string): Promise<Account | undefined> {
  for (const line of (await readFile('/etc/passwd', 'utf8')).split('\n')) {
    const [entry, , uid, gid] = line.split(':');
    if (entry === name && Number(uid) > 0) return { uid: Number(uid), gid: Number(gid), name };
  }
  return undefined;
}

/**
 * Drops root. Where the program or the data lie below a directory that only root may enter (`/root`, a 0700 home), the
 * account keeps one capability: to read and search past permission bits. Containers often lack that one and have only
 * the stronger one. `no_setuid_fixup` makes it count for access(2) too, which Postgres uses to find its own binary.
 */
async function switchTo(
  account: Account,
  dataDir: string,
  probes: readonly (readonly string[])[],
): Promise<(command: readonly string[]) => readonly string[]> {
  const drop = ['setpriv', '--reuid', String(account.uid), '--regid', String(account.gid), '--clear-groups'];
  const keep = (capability: string): string[] => [
    ...drop,
    `--inh-caps=+${capability}`,
    `--ambient-caps=+${capability}`,
    '--securebits=+no_setuid_fixup',
  ];
  let problem = '';
  for (const prefix of [[...drop, '--inh-caps=-all'], keep('dac_read_search'), keep('dac_override')]) {
    try {
      for (const probe of probes) await run('/usr/bin/env', [...prefix, ...probe], { cwd: '/' });
      return (command) => [...prefix, ...command];
    } catch (error) {
      problem ||= messageOf(error);
    }
  }
  throw new LocalStoreError(
    `Postgres refuses to run as root, and ${account.name} can't reach ${dataDir} or the program in node_modules (${problem.trim()}). ` +
      'Move the project to a directory that other users may enter, choose another storage.data_dir, start as an ordinary user, or set DATABASE_URL.',
  );
}
