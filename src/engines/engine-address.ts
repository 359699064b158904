import { BlockList, isIP } from 'node:net';
import type { EngineId } from '../contract/common.js';
import { engineSchemes } from '../contract/engine-schemes.js';
import { bareHost } from '../platform/config/bind-address.js';

/** Where no engine listens, and where clouds keep what nobody but the machine itself may read. */
const neverEngines = new BlockList();
neverEngines.addSubnet('169.254.0.0', 16, 'ipv4');
neverEngines.addAddress('0.0.0.0', 'ipv4');
neverEngines.addSubnet('fe80::', 10, 'ipv6');
neverEngines.addAddress('fd00:ec2::254', 'ipv6');
neverEngines.addAddress('::', 'ipv6');

/**
 * Why an address that somebody tells at run time is not taken for an engine's; null when it is. Private networks are where engines live, so
 * they are not refused; the names of hosts are not looked up here.
 * @param allowedHosts empty: any
 */
export function addressProblem(text: string, allowedHosts: readonly string[], engine: EngineId): string | null {
  if (!URL.canParse(text)) return 'is not a URL';
  const { protocol } = new URL(text);
  const schemes = engineSchemes[engine];
  if (!schemes.includes(protocol)) return `must begin with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`;
  // Only of the web's own schemes all spellings of an address are brought into one.
  const url = new URL(text.replace(/^\s*[a-z]+:/i, 'http:'));
  if (url.username !== '' || url.password !== '') {
    return 'must hold no user or password: give the pool a key with engine.api_key_env or api_key_file';
  }
  if (url.search !== '' || url.hash !== '') return 'must hold no query and no fragment';
  const host = hostOf(url);
  if (isNeverEngine(host)) return 'is an address that no engine has';
  if (allowedHosts.length > 0 && !allowedHosts.some((pattern) => matches(host, pattern.toLowerCase()))) {
    return 'is at a host that registration.allowed_hosts does not name';
  }
  return null;
}

/** As adapters take it: without a trailing slash. */
export function baseUrl(text: string): string {
  return text.replace(/\/+$/, '');
}

function isNeverEngine(host: string): boolean {
  const family = isIP(host);
  return family !== 0 && neverEngines.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

function matches(host: string, pattern: string): boolean {
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern;
}

function hostOf(url: URL): string {
  return bareHost(url).replace(/\.$/, '');
}
