import { createPrivateKey } from 'node:crypto'

export function isPrivateKey(pem: string, type: 'ec' | 'rsa' | 'ed25519'): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === type
  } catch {
    return false // not a key: the caller reports it as a fault
  }
}
