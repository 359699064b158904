import { atMost } from './checks.mjs';

const dist = new URL('../../dist/modules/', import.meta.url);
const rounds = 300;

function replicaOf(place, count) {
  return {
    id: `r${String(place).padStart(4, '0')}`,
    ready: place % 10 !== 9,
    deviceMask: String(place % 8),
    slots: 4,
    activeLeases: (place * 7) % 5,
    vramFreeBytes: ((place * 13) % count) * 2 ** 28,
    kvBytesPerToken: place % 2 === 0 ? 0 : 131_072,
  };
}

/** So many replicas in so many pools, a few of which can't take the task. */
function snapshots(pools, replicas) {
  return Array.from({ length: pools }, (_, place) => ({
    id: `p${String(place).padStart(4, '0')}`,
    engine: 'llamacpp',
    features: new Set(['prompt']),
    modelNames: [place % 10 === 3 ? 'other' : 'm', 'alias'],
    samplerProfile: 'v1',
    ready: true,
    unreadyReason: null,
    ctxMax: place % 10 === 4 ? 64 : 8192,
    replicas: Array.from({ length: replicas / pools }, (__, at) => replicaOf(at, replicas)),
    waiting: (place * 3) % 7,
    predicted: place % 3 === 0 ? null : { startMs: (place * 31) % 900, runMs: 200 + ((place * 17) % 900) },
  }));
}

const request = {
  modelRef: 'm',
  engine: undefined,
  needs: [{ feature: 'prompt', field: 'prompt' }],
  samplerProfile: undefined,
  ctxNeeded: 300,
  ctxField: 'max_tokens',
  kvTokens: 400,
  mayPin: true,
  affinity: { poolId: 'p0007', replicaId: 'r0000' },
  wish: undefined,
};

/** Milliseconds of CPU of one call, once compilers have settled. */
function cpuMsOf(call) {
  for (let round = 0; round < 50; round += 1) call();
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / rounds;
}

export const placement = {
  name: 'placement',
  title: 'placement of one task over 1,000 replicas, in this process',
  async run() {
    const { decide, orderReplicas } = await import(new URL('placement/index.js', dist).href);
    const shapes = [
      [1000, 1000],
      [100, 1000],
      [10, 1000],
      [1, 1000],
    ].map(([pools, replicas]) => ({ pools, all: snapshots(pools, replicas) }));
    const figures = shapes.map(({ pools, all }) => ({ pools, ms: cpuMsOf(() => decide(request, all)) }));
    const [{ replicas }] = shapes.at(-1).all;
    const inside = cpuMsOf(() => orderReplicas(replicas, { homeReplicaId: 'r0500', deviceMask: null, kvTokens: 400 }));
    return {
      rows: [],
      facts: [
        ...figures.map(
          ({ pools, ms }) => `${String(pools).padStart(5)} pools, 1,000 replicas: ${ms.toFixed(3)} ms CPU a decision`,
        ),
        `replicas of one pool of 1,000 put in order: ${inside.toFixed(3)} ms CPU`,
      ],
      checks: [
        atMost('pool chosen over 1,000 replicas, slowest shape', Math.max(...figures.map(({ ms }) => ms)), 2, 'ms CPU'),
        atMost('replica chosen in a pool of 1,000', inside, 2, 'ms CPU'),
      ],
    };
  },
};
