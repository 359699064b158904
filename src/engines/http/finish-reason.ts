/**
 * vLLM and SGLang say `abort` when they were told to stop: by us, who would not listen any more, or because they shut down. `error` is what vLLM
 * and gateways such as OpenRouter say where generating failed.
 */
const brokenReasons: readonly string[] = ['abort', 'error'];

/** Whether an engine has said why it finished, and that it did not break off. @param reason null: it has said none */
export function saysWhole(reason: string | null): boolean {
  return reason !== null && !brokenReasons.includes(reason);
}
