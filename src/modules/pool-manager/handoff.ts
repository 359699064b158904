import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { engineId, poolIdText } from '../../contract/common.js';
import { addressProblem, baseUrl } from '../../engines/engine-address.js';

/** The file a provisioner leaves when an engine is ready to be bound. Fields that we don't know are left to those who do. */
const handoff = z.object({
  engine: engineId,
  engine_version: z.string().min(1).max(128).nullish(),
  provisioning_mode: z.string().optional(),
  url: z.string().max(2048).transform(baseUrl),
  pool_id: poolIdText,
  replica_id: poolIdText,
  model: z.object({ id: z.string(), path: z.string().optional(), digest: z.string().nullish() }).nullish(),
  device_mask: z.string().nullish(),
  slots: z.int().min(1).max(65_536),
  ctx_max: z.int().min(1).nullish(),
  flags: z.array(z.string()).optional(),
  pid: z.int().nullish(),
  started_ms: z.number().optional(),
});
export type Handoff = z.infer<typeof handoff>;

export type ReadHandoff =
  { readonly kind: 'read'; readonly handoff: Handoff } | { readonly kind: 'invalid'; readonly problem: string };

/** Reads the text of a handoff file. Pure; a problem repeats nothing of the text. */
export function readHandoff(text: string): ReadHandoff {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { kind: 'invalid', problem: 'it is no whole JSON' };
  }
  const parsed = handoff.safeParse(json);
  if (!parsed.success) {
    const paths = parsed.error.issues.map(({ path }) => (path.length === 0 ? 'all of it' : path.join('.')));
    return { kind: 'invalid', problem: `wrong or missing: ${[...new Set(paths)].join(', ')}` };
  }
  const problem = addressProblem(parsed.data.url, [], parsed.data.engine);
  return problem === null ? { kind: 'read', handoff: parsed.data } : { kind: 'invalid', problem: `its url ${problem}` };
}

/** Where handoffs lie. */
export function handoffDirectory(runtimeDir: string): string {
  return join(runtimeDir, 'engines');
}

/** Writes a handoff so that no reader ever sees half of it. Rejects when the disk does not take it. */
export async function writeHandoff(directory: string, value: Handoff): Promise<void> {
  await mkdir(directory, { recursive: true });
  const path = pathOf(directory, value.pool_id, value.replica_id);
  const unfinished = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(unfinished, `${JSON.stringify(value, null, 2)}\n`);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** Nothing happens when there is none. */
export async function removeHandoff(directory: string, poolId: string, replicaId: string): Promise<void> {
  await rm(pathOf(directory, poolId, replicaId), { force: true });
}

function pathOf(directory: string, poolId: string, replicaId: string): string {
  return join(directory, `${poolId}-${replicaId}.json`);
}
