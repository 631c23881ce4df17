import type { LookupAddress } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { SECOND } from '../lib/units.ts'

/** The addresses of a host, at least one; rejects with the resolver's error when there is none. */
export type ResolveHost = (host: string) => Promise<readonly LookupAddress[]>

/**
 * By DNS and without the system's resolver, which would keep one of Node's four threads busy for as long as a stranger's name
 * server is silent; the connections to Apple and Google need those threads, too. So a name must be fully qualified, and the hosts
 * file is not read.
 */
export function createResolveHost(
  resolver: Resolver = new Resolver({ timeout: 2 * SECOND, tries: 2 }),
): ResolveHost {
  return async (host) => {
    const family = isIP(host)
    if (family !== 0) return [{ address: host, family }]
    const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
    const addresses = [
      ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 })) : []),
      ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 })) : []),
    ]
    if (addresses.length === 0)
      throw four.status === 'rejected' ? four.reason : new Error(`no address: ${host}`)
    return addresses
  }
}
