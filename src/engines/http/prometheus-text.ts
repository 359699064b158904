/**
 * Values of a Prometheus text exposition by name, labels dropped; of a name with several label sets the sum.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function readGauges(text: string): Map<string, number> {
  const gauges = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-zA-Z_:][\w:]*)(?:\{.*\})?[ \t]+(\S+)/.exec(line) ?? [];
    const number = Number(value);
    if (name !== undefined && Number.isFinite(number)) gauges.set(name, (gauges.get(name) ?? 0) + number);
  }
  return gauges;
}
