/** Why an engine or a model could not be made present. */
export type ProvisioningProblem =
  | 'bad-ref'
  | 'refused-by-policy'
  | 'no-gpu'
  | 'unsupported-platform'
  | 'digest-mismatch'
  | 'not-a-model'
  | 'not-found'
  | 'unauthorised'
  | 'no-space'
  | 'network'
  | 'install-failed'
  | 'canceled';

/** Problems that stay until a person changes the configuration: trying again can't help. */
const finalProblems: ReadonlySet<ProvisioningProblem> = new Set([
  'bad-ref',
  'refused-by-policy',
  'unsupported-platform',
  'digest-mismatch',
  'canceled',
]);

/** A readable refusal or failure: the message says what to do, and never holds a token or a signed URL. */
export class ProvisioningError extends Error {
  /** False when the same attempt may succeed later without a change of the configuration. */
  readonly isFinal: boolean;

  constructor(
    readonly problem: ProvisioningProblem,
    message: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(message, options);
    this.name = 'ProvisioningError';
    this.isFinal = finalProblems.has(problem);
  }
}
