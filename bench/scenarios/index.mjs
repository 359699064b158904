import { accept } from './accept.mjs';
import { adapters } from './adapters.mjs';
import { cancel } from './cancel.mjs';
import { ceiling } from './ceiling.mjs';
import { eta } from './eta.mjs';
import { list } from './list.mjs';
import { streamsThousand } from './streams.mjs';
import { ttftMany, ttftOne } from './ttft.mjs';

export const scenarios = [ttftOne, ttftMany, streamsThousand, ceiling, accept, list, eta, adapters, cancel];
