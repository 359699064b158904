import { accept } from './accept.mjs';
import { adapters } from './adapters.mjs';
import { cancel } from './cancel.mjs';
import { admission } from './admission.mjs';
import { ceiling } from './ceiling.mjs';
import { eta } from './eta.mjs';
import { list } from './list.mjs';
import { placement } from './placement.mjs';
import { queueMemory } from './queue-memory.mjs';
import { streamsThousand } from './streams.mjs';
import { ttftMany, ttftOne } from './ttft.mjs';

export const scenarios = [
  ttftOne,
  ttftMany,
  streamsThousand,
  ceiling,
  accept,
  list,
  eta,
  admission,
  placement,
  queueMemory,
  adapters,
  cancel,
];
