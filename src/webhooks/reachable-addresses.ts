import { isIPv4 } from 'node:net'
import { networkSet } from '../lib/networks.ts'

/**
 * What belongs to nobody on the internet, or to nobody alone: the registries of special-purpose addresses,
 * https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry. `request-filtering-agent` keeps
 * such a list, too, and judges every connection once more; it lets a few through (`::7f00:1` is one of them), so neither is
 * trusted alone.
 */
const SPECIAL = networkSet([
  '0.0.0.0/8', // this host
  '10.0.0.0/8',
  '100.64.0.0/10', // shared by the customers of a carrier
  '127.0.0.0/8',
  '169.254.0.0/16', // link-local, with the metadata of clouds at 169.254.169.254
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24', // documentation
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24', // relays to 6to4
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, with the broadcast address
  '2001::/23', // protocols, with Teredo
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4, which can name any IPv4 address
  '2620:4f:8000::/48',
  '3fff::/20', // documentation
])
/** IPv6 outside of this is not the internet: loopback, link-local, private, multicast, and IPv4 in disguise (mapped, NAT64). */
const GLOBAL_UNICAST = networkSet(['2000::/3'])

/** `private`: in a network that the operator has opened to webhooks. */
export type Reach = 'public' | 'private' | 'refused'
export type JudgeAddress = (address: string) => Reach

/** @param privateNetworks in CIDR notation */
export function createJudgeAddress(privateNetworks: readonly string[]): JudgeAddress {
  const opened = networkSet(privateNetworks)
  return (address) => {
    if (opened.has(address)) return 'private'
    const isGlobal = isIPv4(address) || GLOBAL_UNICAST.has(address)
    return isGlobal && !SPECIAL.has(address) ? 'public' : 'refused'
  }
}
