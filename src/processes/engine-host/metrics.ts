import type { Timings } from './generation.js';

/**
 * Counters of the host under llama-server's names, so that one scraper reads both.
 * Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md ("GET /metrics").
 */
export class Metrics {
  private promptTokens = 0;
  private promptTokensCached = 0;
  private promptMs = 0;
  private predictedTokens = 0;
  private predictedMs = 0;
  private decodes = 0;
  private busySlots = 0;
  private longestSequence = 0;

  countDecode(busySlots: number): void {
    this.decodes += 1;
    this.busySlots += busySlots;
  }

  /** Called when a prompt has been read. */
  countPrompt(timings: Timings): void {
    this.promptTokens += timings.promptTokens;
    this.promptTokensCached += timings.cachedTokens;
    this.promptMs += timings.promptMs;
  }

  /** Called when a generation leaves its slot, finished or not. */
  countPrediction(timings: Timings, sequenceLength: number): void {
    this.predictedTokens += timings.predictedTokens;
    this.predictedMs += timings.predictedMs;
    this.longestSequence = Math.max(this.longestSequence, sequenceLength);
  }

  /** Prometheus text, format 0.0.4. */
  render(processing: number, deferred: number): string {
    const rows: [name: string, kind: 'counter' | 'gauge', help: string, value: number][] = [
      [
        'prompt_tokens_total',
        'counter',
        'Number of prompt tokens processed, excluding cached tokens',
        this.promptTokens,
      ],
      [
        'prompt_tokens_cached_total',
        'counter',
        'Number of prompt tokens reused from the cache',
        this.promptTokensCached,
      ],
      ['prompt_seconds_total', 'counter', 'Total time spent processing prompts', this.promptMs / 1000],
      ['tokens_predicted_total', 'counter', 'Number of generation tokens processed', this.predictedTokens],
      ['tokens_predicted_seconds_total', 'counter', 'Total time spent generating tokens', this.predictedMs / 1000],
      ['n_decode_total', 'counter', 'Total number of llama_decode() calls', this.decodes],
      ['n_tokens_max', 'counter', 'Largest observed sequence length (prompt + generation)', this.longestSequence],
      [
        'prompt_tokens_seconds',
        'gauge',
        'Average prompt throughput in tokens/s',
        perSecond(this.promptTokens, this.promptMs),
      ],
      [
        'predicted_tokens_seconds',
        'gauge',
        'Average generation throughput in tokens/s',
        perSecond(this.predictedTokens, this.predictedMs),
      ],
      ['requests_processing', 'gauge', 'Number of requests processing', processing],
      ['requests_deferred', 'gauge', 'Number of requests deferred', deferred],
      [
        'n_busy_slots_per_decode',
        'gauge',
        'Average number of busy slots per llama_decode() call',
        this.busySlots / Math.max(1, this.decodes),
      ],
    ];
    return rows
      .map(
        ([name, kind, help, value]) =>
          `# HELP llamacpp:${name} ${help}\n# TYPE llamacpp:${name} ${kind}\nllamacpp:${name} ${value}\n`,
      )
      .join('');
  }
}

/** Events per second; 0 while no time has passed. */
export function perSecond(count: number, ms: number): number {
  return ms > 0 ? (count * 1000) / ms : 0;
}
