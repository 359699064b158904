/** The pool an attached llama-server becomes: external, under the name every example uses. */
export function attachedPool(url: string, model: string | undefined): Record<string, unknown> {
  return {
    id: 'default',
    aliases: ['default'],
    engine: { id: 'llamacpp' },
    model: { ref: model ?? 'default' },
    provisioning: { mode: 'external' },
    replicas: [{ id: 'r0', url }],
  };
}

/**
 * What runs when nobody wrote a configuration file: one llama.cpp pool named `default` with a tiny model of our own, on a GPU where there
 * is one and otherwise on the CPU, which only this demonstration allows by itself.
 */
export function demoConfig(llamacppUrl: string | undefined, model: string | undefined): Record<string, unknown> {
  if (llamacppUrl !== undefined) return { pools: [attachedPool(llamacppUrl, model)] };
  return {
    policy: { gpu: 'allowed-cpu', allow_package_installs: true },
    pools: [
      {
        id: 'default',
        aliases: ['default'],
        engine: { id: 'llamacpp' },
        model: { ref: model ?? 'demo' },
        slots: 4,
        provisioning: { mode: 'package' },
      },
    ],
  };
}
