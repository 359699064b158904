import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { measure } from './measure.mjs';
import { findFamily, spawnListener } from './processes.mjs';
import { startRedis } from './redis.mjs';
import { bootServer } from './server.mjs';

/** Everything a scenario needs, started when first asked for and ended together. */
export class Workplace {
  #options;
  #cleanups = [];
  #engine = null;
  #subjects = null;
  /** @type {Promise<void> | null} */
  #closing = null;

  /** @param {{main: string, isSplit: boolean, hasServer: boolean, say(line: string): void}} options */
  constructor(options) {
    this.#options = options;
  }

  get hasServer() {
    return this.#options.hasServer;
  }

  /** Engine alone, bare proxy and orchestratord before the same simulator, warmed up. The last one only when it exists. */
  async subjects() {
    this.#subjects ??= await this.#prepareSubjects();
    return this.#subjects;
  }

  async setPace(pace) {
    this.#engine.child.stdin.write(`${JSON.stringify(pace)}\n`);
    await sleep(300); // also lets what the last run left behind come to rest
  }

  async startEngine(flags) {
    const engine = await spawnListener('engine-simulator.mjs', flags);
    this.onClose(engine.stop);
    return engine;
  }

  async bootServer(enginePort, slots, env = {}) {
    const { main, isSplit } = this.#options;
    if (!fs.existsSync(main)) throw new Error(`${main} is missing: build the server first, npm run build`);
    this.#options.say(`  starting ${main}${isSplit ? ' as api and worker' : ''}`);
    const server = await bootServer({ main, enginePort, slots, isSplit, env }, (stop) => this.onClose(stop));
    const { port, directory } = server;
    return { name: 'orchestratord', dialect: 'orchestratord', port, directory, family: server.family };
  }

  async startRedis() {
    const redis = await startRedis();
    this.onClose(redis.stop);
    return redis;
  }

  measure(subject, job) {
    return measure(subject, job, (stop) => this.onClose(stop));
  }

  /** Adds something to be ended with the rest; at once when the end has begun. */
  onClose(cleanup) {
    if (this.#closing === null) this.#cleanups.push(cleanup);
    else void cleanup();
  }

  /** Ends everything, the youngest first. May be called twice: an interrupt and the run that it breaks both do. */
  async close() {
    this.#closing ??= this.#endAll();
    await this.#closing;
  }

  async #endAll() {
    for (const cleanup of this.#cleanups.toReversed()) {
      await cleanup().catch((error) => this.#options.say(`  ${error.message}`));
    }
  }

  async #prepareSubjects() {
    this.#engine = await this.startEngine(['--stamp']);
    const proxy = await spawnListener('proxy.mjs', [String(this.#engine.port)]);
    this.onClose(proxy.stop);
    const subjects = [
      { name: 'engine alone', dialect: 'engine', port: this.#engine.port },
      { name: 'bare proxy', dialect: 'engine', port: proxy.port, family: () => findFamily([proxy.pid], null) },
    ];
    if (this.hasServer) subjects.push(await this.bootServer(this.#engine.port, 4096));
    await this.setPace({ tokensPerSecond: 500, firstTokenMs: 0 });
    for (const subject of subjects) await this.measure(subject, warmUp);
    return subjects;
  }
}

// Just-in-time compilers and connection pools need some thousand requests before figures settle.
const warmUp = {
  kind: 'closed-loop',
  prompt: 'warm up',
  clients: 16,
  tokens: 16,
  spreadMs: 20,
  warmupRequests: 0,
  warmupMs: 0,
  maxRequests: 6000,
  maxMs: 25_000,
};
