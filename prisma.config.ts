import { defineConfig } from 'prisma/config';

// Every command of the Prisma CLI first downloads an engine that `generate`, `format` and `validate` never run.
// Naming any program as that engine keeps them offline. Migrations are written by scripts/new-migration.mjs and applied
// by src/platform/database/migrate.ts.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;
process.env.PRISMA_HIDE_UPDATE_MESSAGE ??= '1';
process.env.CHECKPOINT_DISABLE ??= '1';

export default defineConfig({ schema: 'prisma', migrations: { path: 'prisma/migrations' } });
