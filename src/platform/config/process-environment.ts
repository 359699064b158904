import type { Environment } from './read-environment.js';

/** The environment of this process, for the few who hand it on (to child processes, or to search PATH). Settings are read by `loadConfig`. */
export function processEnvironment(): Environment {
  return process.env;
}
