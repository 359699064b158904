/**
 * A store could not be found, installed, started or reached. The message is written for the person at the terminal:
 * it says what was tried, what went wrong and what to do; it never holds a password.
 */
export class LocalStoreError extends Error {
  override readonly name = 'LocalStoreError';
}
