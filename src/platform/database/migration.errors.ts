/** The database can't be brought to the schema this version needs. The message says why and what to do, without secrets. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}
