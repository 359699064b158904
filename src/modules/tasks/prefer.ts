/**
 * Whether `Prefer` asks for a representation (RFC 7240): a list of preferences, names without regard to case, values plain or quoted, the
 * first of a name counts, what is not understood is ignored.
 */
export function prefersRepresentation(header: string | string[] | undefined): boolean {
  const preferences = String(header ?? '').split(',');
  for (const preference of preferences) {
    const [, name, value] = /^\s*([^\s=;]+)\s*(?:=\s*"?([^\s";]*)"?)?\s*(?:;|$)/.exec(preference) ?? [];
    if (name?.toLowerCase() === 'return') return value === 'representation';
  }
  return false;
}
