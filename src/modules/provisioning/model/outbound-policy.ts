import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { ProvisioningError } from '../provisioning.errors.js';
import { bareHost } from '../../../platform/config/bind-address.js';

/** Which hosts a download may touch. */
export interface OutboundPolicy {
  /** Host names; `*.example.com` covers subdomains. Empty: every public host. */
  readonly allowedHosts: readonly string[];
  /** Origin of the model hub: always reachable when its host is allowed, also over http and on loopback. */
  readonly hubOrigin: string;
}

/** The hub sends its files from these; allowing the hub allows them. */
const hubStores = ['*.huggingface.co', '*.hf.co'];

const privateAddresses = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  privateAddresses.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  ['::', 127],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  privateAddresses.addSubnet(network, prefix, 'ipv6');

/**
 * Checks one URL, each hop of a redirect anew. Refuses other schemes than https, users in URLs, hosts outside the allow list, and addresses of
 * private networks that the list does not name. Throws ProvisioningError `refused-by-policy`.
 */
export function checkOutbound(url: URL, policy: OutboundPolicy): void {
  const host = hostOf(url);
  if (url.username !== '' || url.password !== '') throw refused(url, 'carries a user or password');
  if (!isAllowedHost(host, policy))
    throw refused(url, `is not in policy.allowed_hosts. Add ${JSON.stringify(host)} there if you trust it`);
  const trusted = isNamed(host, policy);
  if (
    url.protocol !== 'https:' &&
    !(url.protocol === 'http:' && trusted && isLoopback(host)) &&
    url.origin !== policy.hubOrigin
  )
    throw refused(url, `uses ${url.protocol} instead of https:`);
  if (isPrivate(host) && !trusted) throw refused(url, 'is an address of a private network');
}

/** A name look-up that refuses private addresses for hosts the operator did not name: a public name may point inward. */
export function guardedLookup(policy: OutboundPolicy): LookupFunction {
  return (host, options, done) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, '');
      const inward = addresses.find(({ address }) => isPrivate(address));
      if (inward !== undefined && !isNamed(host, policy))
        return done(
          new ProvisioningError(
            'refused-by-policy',
            `${host} points to ${inward.address}, an address of a private network.`,
          ),
          '',
        );
      const first = addresses[0];
      if (options.all === true || first === undefined) return done(null, addresses);
      return done(null, first.address, first.family);
    });
  };
}

/** Whether the host is the hub, or stands in the allow list by name. */
function isNamed(host: string, policy: OutboundPolicy): boolean {
  return host === hostOf(new URL(policy.hubOrigin)) || policy.allowedHosts.some((pattern) => matches(host, pattern));
}

function isAllowedHost(host: string, policy: OutboundPolicy): boolean {
  if (policy.allowedHosts.length === 0) return true;
  if (policy.allowedHosts.some((pattern) => matches(host, pattern))) return true;
  const hubIsAllowed = policy.allowedHosts.some((pattern) => matches(hostOf(new URL(policy.hubOrigin)), pattern));
  return hubIsAllowed && hubStores.some((pattern) => matches(host, pattern));
}

function matches(host: string, pattern: string): boolean {
  const wanted = pattern.toLowerCase();
  return wanted.startsWith('*.') ? host.endsWith(wanted.slice(1)) : host === wanted;
}

function hostOf(url: URL): string {
  return bareHost(url).toLowerCase().replace(/\.$/, '');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function isPrivate(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host === 'localhost' || host.endsWith('.localhost');
  // BlockList applies the IPv4 rules to IPv4-mapped IPv6 addresses too.
  return privateAddresses.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

function refused(url: URL, problem: string): ProvisioningError {
  return new ProvisioningError('refused-by-policy', `${url.protocol}//${url.host} ${problem}.`);
}
