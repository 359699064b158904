import { z } from 'zod';

/** Answer of `GET /healthz`: the process runs. */
export const liveness = z.object({ status: z.literal('ok') }).meta({ id: 'Liveness', examples: [{ status: 'ok' }] });
export type Liveness = z.infer<typeof liveness>;

const probe = z.record(z.string(), z.object({ status: z.string() }));

/** Answer of `GET /readyz` when all is well; otherwise the error envelope with one detail a failed check. */
export const readiness = z.object({ status: z.literal('ok'), info: probe, error: probe, details: probe }).meta({
  id: 'Readiness',
  examples: [{ status: 'ok', info: { redis: { status: 'up' } }, error: {}, details: { redis: { status: 'up' } } }],
});
export type Readiness = z.infer<typeof readiness>;
