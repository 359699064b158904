import { createHash } from 'node:crypto';
import lock from './node-llama-cpp/package-lock.json' with { type: 'json' };
import manifest from './node-llama-cpp/package.json' with { type: 'json' };

/** Version of node-llama-cpp, locked with the hashes of everything it brings. */
export const NODE_LLAMA_CPP_VERSION = manifest.dependencies['node-llama-cpp'];

/** A build of llama.cpp that npm carries. */
export type EnginePlatform =
  | 'linux-x64'
  | 'linux-x64-cuda'
  | 'linux-x64-cuda12'
  | 'linux-x64-vulkan'
  | 'linux-arm64'
  | 'mac-arm64-metal'
  | 'mac-x64';

interface Build {
  /** The names behind `@node-llama-cpp/`. */
  readonly packages: readonly string[];
  readonly gpu: 'cuda' | 'vulkan' | 'metal' | false;
  /** Bytes on disk once installed, with node-llama-cpp itself, measured for 3.22.1; for progress only. */
  readonly bytes: number;
}

const LIBRARY_BYTES = 56_000_000;

/** `cuda` is linked against CUDA 13; the `-ext` package carries the same for CUDA 12 (read from the ELF headers). */
export const builds: Readonly<Record<EnginePlatform, Build>> = {
  'linux-x64': { packages: ['linux-x64'], gpu: false, bytes: LIBRARY_BYTES + 30_000_000 },
  'linux-x64-cuda': { packages: ['linux-x64-cuda'], gpu: 'cuda', bytes: LIBRARY_BYTES + 189_000_000 },
  'linux-x64-cuda12': {
    packages: ['linux-x64-cuda', 'linux-x64-cuda-ext'],
    gpu: 'cuda',
    bytes: LIBRARY_BYTES + 564_000_000,
  },
  'linux-x64-vulkan': { packages: ['linux-x64-vulkan'], gpu: 'vulkan', bytes: LIBRARY_BYTES + 74_000_000 },
  'linux-arm64': { packages: ['linux-arm64'], gpu: false, bytes: LIBRARY_BYTES + 25_000_000 },
  'mac-arm64-metal': { packages: ['mac-arm64-metal'], gpu: 'metal', bytes: LIBRARY_BYTES + 12_000_000 },
  'mac-x64': { packages: ['mac-x64'], gpu: false, bytes: LIBRARY_BYTES + 12_000_000 },
};

interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
}

export interface PackageFiles {
  readonly packageJson: string;
  readonly packageLock: string;
  /** Lower-case hexadecimal, of the lock: tells one prepared engine from the next. */
  readonly lockSha256: string;
  /** Packages whose hash is not locked, because the registry the lock was made on does not show them. */
  readonly unlocked: readonly string[];
}

/**
 * The package.json and package-lock.json that install exactly one build. The committed lock holds every build as an optional entry; here the
 * wanted one becomes a plain dependency, so that `npm ci --omit=optional` fetches it and none of the others.
 */
export function packageFilesFor(platform: EnginePlatform): PackageFiles {
  const names = builds[platform].packages.map((name) => `@node-llama-cpp/${name}`);
  const dependencies: Record<string, string> = { ...manifest.dependencies };
  for (const name of names) dependencies[name] = NODE_LLAMA_CPP_VERSION;

  const packages: Record<string, unknown> = { ...lock.packages };
  packages[''] = { ...lock.packages[''], dependencies };
  const unlocked: string[] = [];
  for (const name of names) {
    const { optional: _, ...entry } = (packages[`node_modules/${name}`] ?? {}) as LockEntry;
    packages[`node_modules/${name}`] = entry;
    if (entry.integrity === undefined) unlocked.push(name);
  }
  const packageLock = JSON.stringify({ ...lock, packages }, null, 2);
  return {
    packageJson: JSON.stringify({ ...manifest, dependencies }, null, 2),
    packageLock,
    lockSha256: createHash('sha256').update(packageLock).digest('hex'),
    unlocked,
  };
}
