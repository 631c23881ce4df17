import type { Clock } from '../lib/clock.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { ApnsEnvironment, TokenKind } from '../push/push.ts'
import type { DeviceStore } from './device-store.ts'

export interface DeviceRegistration {
  tenantId: string
  extensionId: number
  deviceKey: string
  appId: string
  name?: string | undefined
  tokens: readonly { kind: TokenKind; environment: ApnsEnvironment; token: string }[]
}

/** Where a sealed token belongs: it opens nowhere else. */
export const tokenContext = (tokenHash: string): string => `device-token:${tokenHash}`

/** Stores a device whose tokens come in clear; from here on they exist only sealed and as a hash. */
export const createRegisterDevice =
  ({ devices, keyring, clock }: { devices: DeviceStore; keyring: Keyring; clock: Clock }) =>
  (registration: DeviceRegistration): Promise<string> => {
    const registeredAt = new Date(clock.now())
    const tokens = registration.tokens.map(({ kind, environment, token }) => {
      const tokenHash = keyring.tokenHash(token)
      return {
        kind,
        environment,
        tokenHash,
        tokenSealed: keyring.seal(token, tokenContext(tokenHash)),
        registeredAt,
      }
    })
    return devices.register({ ...registration, tokens })
  }
export type RegisterDevice = ReturnType<typeof createRegisterDevice>
