import type { HealthProbe } from '../../modules/health/index.js';
import type { Ground } from './ground.js';

/** What this process can't do without. */
export function healthProbes(ground: Ground): HealthProbe[] {
  const probes: HealthProbe[] = [
    {
      name: 'postgres',
      check: async () => {
        await ground.tasks.ping();
      },
    },
    {
      name: 'redis',
      check: async () => {
        await ground.redis.commands.ping();
      },
    },
  ];
  if (ground.config.roles.includes('worker')) {
    probes.push({
      name: 'queues',
      check: async () => {
        await Promise.all(ground.queues.all().map((queue) => queue.ping()));
      },
    });
  }
  return probes;
}
