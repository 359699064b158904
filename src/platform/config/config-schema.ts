import { z } from 'zod';
import { config } from '../../contract/config.js';

/** The JSON Schema of the configuration file (draft 2020-12), the same text for the same contract. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(config, { target: 'draft-2020-12', io: 'input' });
}
