import { env } from 'node:process';

/** A copy of the environment the tests run in. */
export function testEnvironment(): Record<string, string | undefined> {
  return { ...env };
}
