/**
 * Path of one of OpenAI's endpoints below a base URL that may name the version already, as OpenAI's own does.
 * @param path below the version, such as `/models`
 */
export function apiPath(baseUrl: string, path: string): string {
  return /\/v\d+$/.test(new URL(baseUrl).pathname) ? path : `/v1${path}`;
}

/** Where a server keeps what is not of OpenAI's API: its base URL without the version. */
export function serverRoot(baseUrl: string): string {
  return baseUrl.replace(/\/v\d+$/, '');
}
