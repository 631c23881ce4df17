import type { DeviceListStore, ListedToken } from '../devices/device-list-store.ts'
import type { DeviceMoves } from '../devices/device-moves.ts'
import { type DeviceRegistration, type RegisterDevice, tokenContext } from '../devices/register-device.ts'
import type { AppCaller } from '../http/app-caller.ts'
import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import type { Events } from '../observability/events.ts'
import { describeDevice } from './device-schemas.ts'

export interface AppDevicesDeps {
  registerDevice: RegisterDevice
  deviceList: DeviceListStore
  deviceMoves: Pick<DeviceMoves, 'forget'>
  keyring: Keyring
  clock: Clock
  events: Pick<Events, 'backgroundError'>
}

type Registration = Omit<DeviceRegistration, 'tenantId' | 'extensionId' | 'byApp'>

/** The phones of who is logged in. */
export function createAppDevices({
  registerDevice,
  deviceList,
  deviceMoves,
  keyring,
  clock,
  events,
}: AppDevicesDeps) {
  /** Empty for a token that was sealed with another key, as after a restored backup: the phone can be removed all the same. */
  const last4 = ({ tokenSealed, tokenHash }: ListedToken): string => {
    try {
      return keyring.open(tokenSealed, tokenContext(tokenHash)).slice(-4)
    } catch (error) {
      events.backgroundError('device-list', toError(error))
      return ''
    }
  }
  const list = async (caller: AppCaller) =>
    (await deviceList.list(caller)).map((device) =>
      describeDevice(device, { isCurrent: device.deviceKey === caller.deviceKey, last4 }),
    )

  return {
    list,

    /** Stores the phone; the session that says so is that of the phone from now on. Returns what is stored. */
    async register(caller: AppCaller, registration: Registration) {
      const { tenantId, extensionId } = caller
      const { id, deviceKey } = await registerDevice({ ...registration, tenantId, extensionId, byApp: true })
      if (deviceKey !== caller.deviceKey) {
        await deviceList.bindSession(caller, caller.sessionId, deviceKey, new Date(clock.now()))
      }
      const devices = await list({ ...caller, deviceKey })
      return devices.find((device) => device.id === id)
    },

    /** An id for a phone that gives none: the same token is the same phone. */
    idFromToken: (token: string): string => `token-${keyring.tokenHash(token).slice(0, 32)}`,

    async remove(caller: AppCaller, id: string): Promise<void> {
      if (!(await deviceList.remove(caller, id, new Date(clock.now())))) throw new Problem('unknown_device')
      await deviceMoves.forget(caller)
    },

    async removeToken(caller: AppCaller, token: { id: string; tokenId: string }): Promise<void> {
      if (!(await deviceList.removeToken(caller, token))) throw new Problem('unknown_device_token')
      await deviceMoves.forget(caller)
    },
  }
}
export type AppDevices = ReturnType<typeof createAppDevices>
