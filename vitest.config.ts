import { defineConfig } from 'vitest/config';

// Vitest's transformer needs to be told about decorators for files outside tsconfig's include.
const oxc = { decorator: { legacy: true, emitDecoratorMetadata: true } };
const shared = { testTimeout: 120_000, hookTimeout: 120_000, pool: 'forks' as const };

export default defineConfig({
  oxc,
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    maxWorkers: 2,
    projects: [
      // Specs beside the code share their modules: to load everything anew for each file takes longer than the tests.
      { oxc, test: { ...shared, name: 'unit', include: ['src/**/*.spec.ts'], isolate: false } },
      { oxc, test: { ...shared, name: 'whole', include: ['test/**/*.spec.ts'] } },
    ],
  },
});
