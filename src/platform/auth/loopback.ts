import type { IncomingHttpHeaders } from 'node:http';

/** Whether a socket address is this machine's own: 127/8, ::1, or 127/8 mapped into IPv6. */
export function isLoopbackAddress(address: string): boolean {
  const bare = address.toLowerCase().replace(/^::ffff:/, '');
  return bare === '::1' || /^127(?:\.\d{1,3}){3}$/.test(bare);
}

/** Headers by which a proxy says that the socket is not the client's. */
const proxyMarks = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'] as const;

/**
 * Whether the client, not only the socket, is on this machine. Behind a reverse proxy on the same machine every socket is loopback, so a
 * forwarded request counts as local only when the proxy is trusted and names nothing but loopback addresses.
 */
export function isLocalClient(remoteAddress: string, headers: IncomingHttpHeaders, trustProxy: boolean): boolean {
  if (!isLoopbackAddress(remoteAddress)) return false;
  if (!proxyMarks.some((name) => headers[name] !== undefined)) return true;
  const forwarded = headers['x-forwarded-for'];
  if (!trustProxy || forwarded === undefined) return false;
  return String(forwarded)
    .split(',')
    .every((address) => isLoopbackAddress(withoutPort(address.trim())));
}

/**
 * The client's address: the socket's, or behind a trusted proxy the last one of X-Forwarded-For, which the proxy itself has put there (what
 * stands before it, the client may have made up).
 */
export function clientAddress(remoteAddress: string, headers: IncomingHttpHeaders, trustProxy: boolean): string {
  const forwarded = trustProxy
    ? String(headers['x-forwarded-for'] ?? '')
        .split(',')
        .at(-1)
        ?.trim()
    : '';
  const address = withoutPort(forwarded === undefined || forwarded === '' ? remoteAddress : forwarded);
  return address.toLowerCase().replace(/^::ffff:/, '');
}

function withoutPort(address: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(address)?.[1];
  return bracketed ?? address.replace(/^(\d+(?:\.\d+){3}):\d+$/, '$1');
}

/**
 * Why a browser may be acting for a foreign site here, or null. A page cannot set Host or Origin: after DNS rebinding the Host is still the
 * attacker's name, and a cross-site request carries the attacker's Origin.
 */
export function foreignSite(
  headers: IncomingHttpHeaders,
  ownHost: string,
  trustedOrigins: ReadonlySet<string>,
): string | null {
  const host = headers.host === undefined ? null : hostnameOf(headers.host);
  if (host !== null && !isOwnName(host, ownHost)) return 'its Host header does not name this machine';
  const { origin } = headers;
  if (origin === undefined || trustedOrigins.has(origin)) return null;
  return URL.canParse(origin) && new URL(origin).host === headers.host?.toLowerCase()
    ? null
    : 'it comes from a web page of another origin that server.cors_origins does not list';
}

function isOwnName(host: string, ownHost: string): boolean {
  return (
    host === 'localhost' || host.endsWith('.localhost') || host === ownHost.toLowerCase() || isLoopbackAddress(host)
  );
}

/** `localhost` of `localhost:8080`, `::1` of `[::1]:8080`. */
function hostnameOf(host: string): string {
  const lower = host.toLowerCase();
  return /^\[([^\]]*)\]/.exec(lower)?.[1] ?? lower.replace(/:\d*$/, '');
}
