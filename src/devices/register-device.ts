import type { Clock } from '../lib/clock.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { ApnsEnvironment, TokenKind } from '../push/push.ts'
import type { FormerOwner } from './device-owner-store.ts'
import type { DeviceStore, RegisteredDevice } from './device-store.ts'

export interface DeviceRegistration {
  tenantId: string
  extensionId: number
  deviceKey: string
  appId: string
  name?: string | undefined
  platform?: string | undefined
  appVersion?: string | undefined
  locale?: string | undefined
  /** Without an environment it is the one that is known of the token, or production. */
  tokens: readonly { kind: TokenKind; environment?: ApnsEnvironment | undefined; token: string }[]
  /** The app says so and not the PBX: it has to show that the phone is its own. */
  byApp?: boolean
}

/** Where a sealed token belongs: it opens nowhere else. */
export const tokenContext = (tokenHash: string): string => `device-token:${tokenHash}`

/** Stores a device whose tokens come in clear; from here on they exist only sealed and as a hash. */
export const createRegisterDevice =
  ({
    devices,
    keyring,
    clock,
    onLeft,
    onEvicted,
  }: {
    devices: DeviceStore
    keyring: Keyring
    clock: Clock
    /** Told after the fact. */
    onLeft: (owners: readonly FormerOwner[]) => Promise<void>
    onEvicted: (owner: FormerOwner) => Promise<void>
  }) =>
  async (registration: DeviceRegistration): Promise<Pick<RegisteredDevice, 'id' | 'deviceKey'>> => {
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
    const { id, deviceKey, left, evicted } = await devices.register({ ...registration, tokens })
    if (left.length > 0) await onLeft(left)
    if (evicted) await onEvicted(evicted)
    return { id, deviceKey }
  }
export type RegisterDevice = ReturnType<typeof createRegisterDevice>
