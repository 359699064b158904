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
    for (const [path, entry] of Object.entries(packages))
      if (path.includes('@node-llama-cpp/')) expect(entry.optional === true, path).toBe(!wanted.includes(path));
  });

  it('holds the version of the engine for the build', () => {
    for (const path of wanted) expect(packages[path]?.version).toBe(NODE_LLAMA_CPP_VERSION);
  });

  it('holds a hash for everything that is installed, and says where it does not', () => {
    const bare = Object.entries(packages).filter(
      ([path, entry]) => path !== '' && entry.optional !== true && entry.integrity === undefined,
    );
    expect(bare.map(([path]) => path.replace('node_modules/', ''))).toEqual(files.unlocked);
    if (platform.startsWith('linux')) expect(files.unlocked).toEqual([]);
  });

  it('names no registry, so that a mirror can serve it', () => {
    expect(files.packageLock).not.toContain('"resolved"');
  });
});
