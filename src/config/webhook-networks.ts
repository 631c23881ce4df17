import { networkSet, parseNetwork } from '../lib/networks.ts'
import type { Reader } from './faults.ts'

/**
 * What may be opened to webhooks: RFC 1918, RFC 1122 section 3.2.1.3, RFC 6598, RFC 4291 and RFC 4193. Link-local addresses are
 * not among them, so that the metadata service of a cloud (169.254.169.254) stays closed whatever is written here.
 */
const PRIVATE = networkSet([
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '127.0.0.0/8',
  '100.64.0.0/10',
  '::1/128',
  'fc00::/7',
])

/** The networks in CIDR notation; each entry that is none, or not a private one, is a fault. */
export function readWebhookNetworks(reader: Reader): readonly string[] {
  const entries = (reader.text('WEBHOOK_PRIVATE_NETWORKS') ?? '').split(',').map((entry) => entry.trim())
  const networks = entries.filter((entry) => entry !== '')
  networks.forEach((text, index) => {
    const network = parseNetwork(text)
    const fault = !network
      ? 'must be a network like 10.0.0.0/8'
      : !PRIVATE.covers(network) && 'is not a private network'
    if (fault) reader.fault(`WEBHOOK_PRIVATE_NETWORKS: entry ${index + 1} ${fault}`)
  })
  return networks
}
