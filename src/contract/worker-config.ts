import { z } from 'zod';

const milliseconds = (fallback: number, least: number) => z.int().min(least).max(86_400_000).default(fallback);

/** How a worker keeps its tasks, and how it lets go of them. */
export const workerConfig = z
  .strictObject({
    lock_ms: milliseconds(6_000, 1_000).describe('A worker silent for this long has lost its tasks to others.'),
    shutdown_grace_ms: milliseconds(25_000, 0).describe('How long running tasks may finish at SIGTERM.'),
    max_continuations: z
      .int()
      .min(0)
      .max(1000)
      .default(5)
      .describe(
        'How often a task that has begun to answer goes on elsewhere after a loss; 0: it ends with WORKER_RESET. Also with how many lost ' +
          'engines a task that has not begun may wait for one more; then it ends with REPLICA_EXHAUSTED.',
      ),
  })
  .prefault({});
