/** Values by the name of their metric, one for each set of labels. */
export type Samples = ReadonlyMap<string, readonly number[]>;

/** Reads a Prometheus text exposition; labels are dropped. https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function readSamples(text: string): Samples {
  const samples = new Map<string, number[]>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-zA-Z_:][\w:]*)(?:\{.*\})?[ \t]+(\S+)/.exec(line) ?? [];
    const number = Number(value);
    if (name === undefined || !Number.isFinite(number)) continue;
    const known = samples.get(name);
    if (known === undefined) samples.set(name, [number]);
    else known.push(number);
  }
  return samples;
}

/** Of something that is counted; null where nothing is told. */
export function sumOf(samples: Samples, name: string): number | null {
  return samples.get(name)?.reduce((sum, value) => sum + value, 0) ?? null;
}

/** Of a share of something; null where nothing is told. */
export function meanOf(samples: Samples, name: string): number | null {
  const sum = sumOf(samples, name);
  return sum === null ? null : sum / (samples.get(name)?.length ?? 1);
}
