import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from './generated/client.js';

/** The process's ways to Postgres: `pool` for hot statements, `prisma` for the rest. Both only inside `*.repository.ts`. */
export class Database {
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;

  /** @param onError hears of connections that broke while idle; the pool replaces them by itself */
  constructor(url: string, onError: (error: Error) => void) {
    const settings = { connectionString: url, connectionTimeoutMillis: 3000, query_timeout: 15_000, keepAlive: true };
    this.pool = new pg.Pool({ ...settings, max: 8, application_name: 'orchestratord' });
    this.pool.on('error', onError);
    this.prisma = new PrismaClient({
      adapter: new PrismaPg({ ...settings, max: 4, application_name: 'orchestratord-reads' }, { onPoolError: onError }),
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.pool.end(), this.prisma.$disconnect()]);
  }
}
