/** `host:port` or `[ipv6]:port` in its parts. The shape was checked by the schema. */
export function splitBind(bind: string): { host: string; port: number } {
  const colon = bind.lastIndexOf(':');
  const host = bind.slice(0, colon);
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port: Number(bind.slice(colon + 1)) };
}

/** Whether listening on this host is reachable from this machine only. A name other than localhost may resolve to anything: no. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** The host of an address as sockets and look-ups want it: an IPv6 address without its brackets. */
export function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
