/** What an error says, whatever was thrown. Node tries every address of a host and bundles the refusals under an empty message: the first is told then. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return messageOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
