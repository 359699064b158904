/**
 * Where large contents lie, outside the database. A key is given by its writer and never used twice, so that nobody ever overwrites or
 * removes what another has put there.
 */
export interface ObjectStore {
  /** Resolves once the bytes would survive a loss of power. */
  put(key: string, bytes: Buffer): Promise<void>;
  /** Null: there is nothing of that key here. */
  get(key: string): Promise<Buffer | null>;
  /** Removing what isn't there is no error. */
  remove(key: string): Promise<void>;
}
