import { BlockList, isIP } from 'node:net'

/** A block of addresses, such as `10.0.0.0/8`. */
export interface Network {
  address: string
  prefix: number
  family: 'ipv4' | 'ipv6'
}

/** Reads CIDR notation (RFC 4632 section 3.1, RFC 4291 section 2.3); undefined when it is none. */
export function parseNetwork(text: string): Network | undefined {
  const [, address = '', digits = ''] = /^([0-9a-f:.]+)\/(\d{1,3})$/i.exec(text) ?? []
  const version = isIP(address)
  const prefix = Number(digits)
  if (version === 0 || prefix > (version === 4 ? 32 : 128)) return undefined
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' }
}

/** Addresses of any of these networks. */
export interface NetworkSet {
  /** False for what is no address, and for one that is bound to an interface (`fe80::1%eth0`). */
  has(address: string): boolean
  /** Whether a whole network lies within one of these. */
  covers(network: Network): boolean
}

/** @param texts in CIDR notation; throws for any that is not, because who reads them from people has judged them before. */
export function networkSet(texts: readonly string[]): NetworkSet {
  const networks = texts.map((text) => {
    const network = parseNetwork(text)
    if (!network) throw new RangeError(`not a network: ${text}`)
    const addresses = new BlockList()
    addresses.addSubnet(network.address, network.prefix, network.family)
    return { ...network, has: (address: string) => contains(addresses, address) }
  })
  return {
    has: (address) => networks.some((network) => network.has(address)),
    covers: ({ address, prefix, family }) =>
      networks.some(
        (network) => network.family === family && network.prefix <= prefix && network.has(address),
      ),
  }
}

function contains(addresses: BlockList, address: string): boolean {
  const version = address.includes('%') ? 0 : isIP(address)
  return version !== 0 && addresses.check(address, version === 4 ? 'ipv4' : 'ipv6')
}
