import { HOST_NAME } from '../lib/host-name.ts'
import type { Reader } from './faults.ts'

/** Names that no tenant may have for itself, in lower case; each entry that is no name is a fault. */
export function readSharedAppHosts(reader: Reader): readonly string[] {
  const entries = (reader.text('SHARED_APP_HOSTS') ?? '')
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
  const hosts = entries.filter((entry) => entry !== '')
  hosts.forEach((host, index) => {
    if (!HOST_NAME.test(host)) {
      reader.fault(`SHARED_APP_HOSTS: entry ${index + 1} must be a host name or an address`)
    }
  })
  return hosts
}
