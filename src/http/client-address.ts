import type { IncomingMessage } from 'node:http'

/** Who asks, as far as so many proxies in front let us know: each of them has added who came to it. The same that Express makes of it. */
export function clientAddress(
  { socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>,
  trustProxyHops: number,
): string {
  const forwarded = [headers['x-forwarded-for'] ?? []].flat().join().split(',')
  const chain = [socket.remoteAddress ?? '', ...forwarded.map((address) => address.trim()).reverse()]
  const known = chain.filter((address) => address !== '')
  return known[Math.min(trustProxyHops, known.length - 1)] ?? ''
}
