import { describe, expect, it } from 'vitest';
import { builds, NODE_LLAMA_CPP_VERSION, packageFilesFor, type EnginePlatform } from './node-llama-cpp-package.js';

interface Lock {
  packages: Record<string, { version?: string; integrity?: string; optional?: boolean; resolved?: string }>;
}

describe.each(Object.keys(builds) as EnginePlatform[])('the lock for %s', (platform) => {
  const files = packageFilesFor(platform);
  const { packages } = JSON.parse(files.packageLock) as Lock;
  const wanted = builds[platform].packages.map((name) => `node_modules/@node-llama-cpp/${name}`);

  it('makes the wanted build a plain dependency and leaves the others optional', () => {
    const plain = Object.keys(packages).filter(
      (path) => path.includes('@node-llama-cpp/') && packages[path]?.optional !== true,
    );
    expect(plain.toSorted()).toEqual(wanted.toSorted());
  });

  it('holds the version of the engine for the build', () => {
    for (const path of wanted) expect(packages[path]?.version).toBe(NODE_LLAMA_CPP_VERSION);
  });

  it('holds a hash for everything that is installed, and says where it does not', () => {
    const bare = Object.entries(packages).filter(
      ([path, entry]) => path !== '' && entry.optional !== true && entry.integrity === undefined,
    );
    expect(bare.map(([path]) => path.replace('node_modules/', ''))).toEqual(files.unlocked);
  });

  it('names no registry, so that a mirror can serve it', () => {
    expect(files.packageLock).not.toContain('"resolved"');
  });
});

it.each(['linux-x64', 'linux-x64-cuda', 'linux-x64-cuda12', 'linux-x64-vulkan', 'linux-arm64'] as const)(
  'holds every hash for %s',
  (platform) => {
    expect(packageFilesFor(platform).unlocked).toEqual([]);
  },
);
