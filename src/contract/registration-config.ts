import { z } from 'zod';

/** `registration` of the configuration: engines that somebody binds at run time. */
export const registrationConfig = z
  .strictObject({
    allowed_hosts: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Hosts that engines may be registered at, `*.gpu.lan` for all below. Empty: any, but none in pools whose engines ask for a key, which would ' +
          'be sent there.',
      ),
    forget_after_ms: z
      .int()
      .min(1000)
      .max(2_592_000_000)
      .default(86_400_000)
      .describe('A registered engine that has not answered for so long is forgotten.'),
  })
  .prefault({});
export type RegistrationConfig = z.infer<typeof registrationConfig>;
