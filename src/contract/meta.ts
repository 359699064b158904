import { z } from 'zod';

export const version = z
  .object({ name: z.literal('orchestratord'), version: z.string(), api: z.literal('v2'), node: z.string() })
  .meta({ id: 'Version' });
export type Version = z.infer<typeof version>;
