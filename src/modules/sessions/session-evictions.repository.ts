import type { Pool } from 'pg';

/** Evictions older than this concern nobody: whatever they ended has expired. */
const keptDays = 7;

/** Which generation of a session was evicted last: what must not come back when its turns are read from their records. */
export class SessionEvictionsRepository {
  constructor(private readonly pool: Pool) {}

  /** Rejects when Postgres is away. */
  async add(sessionId: string, generation: string, evictedMs: number): Promise<void> {
    await this.pool.query({
      name: 'session-evict',
      text: `WITH old AS (DELETE FROM session_evictions WHERE evicted_at < to_timestamp($3::double precision / 1000) - make_interval(days => ${keptDays})
          AND session_id <> $1)
        INSERT INTO session_evictions (session_id, generation, evicted_at) VALUES ($1, $2, to_timestamp($3::double precision / 1000))
        ON CONFLICT (session_id) DO UPDATE SET generation = EXCLUDED.generation, evicted_at = EXCLUDED.evicted_at`,
      values: [sessionId, generation, evictedMs],
    });
  }

  /** Null: never. Rejects when Postgres is away. */
  async generationOf(sessionId: string): Promise<string | null> {
    const found = await this.pool.query<{ generation: string }>({
      name: 'session-evicted',
      text: 'SELECT generation FROM session_evictions WHERE session_id = $1',
      values: [sessionId],
    });
    return found.rows[0]?.generation ?? null;
  }
}
