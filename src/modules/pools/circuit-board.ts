import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { CircuitBoard, OpenCircuit } from '../../engines/circuit.js';
import { circuitKey } from './pool-keys.js';

/** An opening that nobody has closed or repeated for so long is forgotten, ms. */
const forgottenAfterMs = 3_600_000;

const openCircuit = z.object({ sinceMs: z.number(), untilMs: z.number(), trips: z.number(), reason: z.string() });

/** A circuit was opened, opened once more, or closed. */
export type CircuitListener = (poolId: string, replicaId: string, circuit: OpenCircuit | null) => void;

/**
 * The open circuits of all replicas, in Redis. Workers judge engines by themselves and write here what they find; every process reads it with
 * `refresh`, so that a replica that fails one worker is left alone by all. While Redis is away each process goes by what it knows.
 */
export class SharedCircuits implements CircuitBoard {
  private readonly known = new Map<string, Map<string, OpenCircuit>>();
  private readonly listeners: CircuitListener[] = [];
  /** Counts what was set here: a read that was under way meanwhile is stale. */
  private writes = 0;
  private pending = 0;

  constructor(private readonly redis: Redis) {}

  of(poolId: string, replicaId: string): OpenCircuit | null {
    return this.known.get(poolId)?.get(replicaId) ?? null;
  }

  set(poolId: string, replicaId: string, circuit: OpenCircuit | null): void {
    const circuits = this.known.get(poolId) ?? new Map<string, OpenCircuit>();
    this.known.set(poolId, circuits);
    if (circuit === null) circuits.delete(replicaId);
    else circuits.set(replicaId, circuit);
    this.writes += 1;
    this.pending += 1;
    void this.write(poolId, replicaId, circuit).finally(() => {
      this.pending -= 1;
    });
    for (const listener of this.listeners) listener(poolId, replicaId, circuit);
  }

  /** Hears of what is set in this process. */
  onSet(listener: CircuitListener): void {
    this.listeners.push(listener);
  }

  /** Learns what the others have found. Rejects when Redis is away. */
  async refresh(poolId: string): Promise<void> {
    const { writes } = this;
    const fields = await this.redis.hgetall(circuitKey(poolId));
    if (this.writes !== writes || this.pending > 0) return;
    const found = Object.entries(fields).flatMap(([replicaId, json]): [string, OpenCircuit][] => {
      const circuit = readCircuit(json);
      return circuit === null ? [] : [[replicaId, circuit]];
    });
    this.known.set(poolId, new Map(found));
  }

  private async write(poolId: string, replicaId: string, circuit: OpenCircuit | null): Promise<void> {
    const key = circuitKey(poolId);
    try {
      if (circuit === null) await this.redis.hdel(key, replicaId);
      else
        await this.redis.pipeline().hset(key, replicaId, JSON.stringify(circuit)).pexpire(key, forgottenAfterMs).exec();
    } catch {
      // Redis is away: the others will find out by themselves.
    }
  }
}

function readCircuit(json: string): OpenCircuit | null {
  try {
    return openCircuit.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}
