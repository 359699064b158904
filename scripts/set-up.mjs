// Brings a checkout to the point where it can run: dependencies, generated database client, compiled code.
// Each part has a stamp of what it was made from, so a second run finds out in milliseconds that nothing is to do.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process, { env } from 'node:process';
import { fileURLToPath } from 'node:url';

import { runStep } from './step-report.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Stamps and logs of the set-up. In dist/, so that removing dist/ makes everything anew. */
export const workDir = join(root, 'dist', '.set-up');

const INSTALL_STAMP = join(root, 'node_modules', '.orchestratord-install');

/** Ready to run dist/. Throws StepFailed after telling what went wrong. */
export async function setUp() {
  await installDependencies();
  await generateDatabaseClient();
  await build();
}

async function installDependencies() {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const stamp = digest([lock, process.platform, process.arch]);
  if (isStamped(INSTALL_STAMP, stamp)) return;
  const packages = packagesFor(JSON.parse(lock));
  if (!isInstalledByHand(packages)) {
    const npm = env.npm_execpath === undefined ? ['npm'] : [process.execPath, env.npm_execpath];
    await runStep({
      title: `Installing dependencies (${packages.length} packages)`,
      command: [...npm, 'ci', '--ignore-scripts', '--include=dev', '--include=optional'],
      cwd: root,
      logFile: join(workDir, 'npm-ci.log'),
      detail: () =>
        `${packages.filter(({ path }) => existsSync(join(root, path, 'package.json'))).length} of ${packages.length}`,
    });
  }
  writeFileSync(INSTALL_STAMP, stamp);
}

/** Somebody has run npm already, with this lock file, and without leaving out what the set-up needs. */
function isInstalledByHand(packages) {
  const recordFile = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(recordFile)) return false;
  const record = JSON.parse(readFileSync(recordFile, 'utf8')).packages;
  return packages.every(({ path, version }) => record[path]?.version === version);
}

/** What npm surely installs on this platform: where and which version. */
function packagesFor(lock) {
  const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  const suits = (allowed, own) => allowed === undefined || allowed.includes(own);
  const isForUs = ({ os, cpu, libc: libcs }) =>
    suits(os, process.platform) && suits(cpu, process.arch) && (process.platform !== 'linux' || suits(libcs, libc));
  return (
    Object.entries(lock.packages)
      // Optional packages without a platform belong to other optional ones, which may be meant for another platform.
      .filter(([path, entry]) => path !== '' && isForUs(entry) && (!entry.optional || entry.os !== undefined))
      .map(([path, { version }]) => ({ path, version }))
  );
}

async function generateDatabaseClient() {
  const schemaDir = join(root, 'prisma');
  const names = readdirSync(schemaDir).filter((name) => name.endsWith('.prisma'));
  const schemas = names.map((name) => readFileSync(join(schemaDir, name), 'utf8'));
  const stamp = digest([...names, ...schemas, readFileSync(INSTALL_STAMP, 'utf8')]);
  const stampFile = join(workDir, 'generated');
  if (isStamped(stampFile, stamp) && existsSync(join(root, 'src/platform/database/generated/client.ts'))) return;
  const prisma = join(root, 'node_modules', 'prisma', 'build', 'index.js');
  const command = [process.execPath, prisma, 'generate'];
  await runStep({
    title: 'Generating the database client',
    command,
    cwd: root,
    logFile: join(workDir, 'generate.log'),
  });
  writeStamp(stampFile, stamp);
}

async function build() {
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'scripts/build.mjs', 'scripts/bundle.mjs'].map((name) =>
    join(root, name),
  );
  const sources = [...settings, ...filesUnder(join(root, 'src'))];
  const stamp = digest([...sources.map(traceOf), readFileSync(INSTALL_STAMP, 'utf8')]);
  const stampFile = join(workDir, 'built');
  if (isStamped(stampFile, stamp) && existsSync(join(root, 'dist', 'bundled'))) return;
  const command = [process.execPath, join(root, 'scripts', 'build.mjs')];
  await runStep({ title: 'Building', command, cwd: root, logFile: join(workDir, 'build.log') });
  writeStamp(stampFile, stamp);
}

function filesUnder(directory) {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .toSorted();
}

function traceOf(path) {
  const { size, mtimeMs } = statSync(path);
  return `${path}:${size}:${mtimeMs}`;
}

function digest(parts) {
  return createHash('sha256').update(parts.join('\0')).digest('hex');
}

function isStamped(file, stamp) {
  return existsSync(file) && readFileSync(file, 'utf8') === stamp;
}

function writeStamp(file, stamp) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, stamp);
}
