import type { Knex } from 'knex'
import { createAppDevices } from './app/app-devices.ts'
import { createCallHistoryStore } from './devices/call-history-store.ts'
import { createCallRecordStore } from './devices/call-record-store.ts'
import { createDeviceListStore } from './devices/device-list-store.ts'
import { createDeviceMoves } from './devices/device-moves.ts'
import { createDeviceStore } from './devices/device-store.ts'
import { createDirectoryStore } from './devices/directory-store.ts'
import { createExtensionBatchStore } from './devices/extension-batch-store.ts'
import { createExtensionStore } from './devices/extension-store.ts'
import { createPhoneStore } from './devices/phone-store.ts'
import { createPresence } from './devices/presence.ts'
import { createRegisterDevice } from './devices/register-device.ts'
import { rememberPhones } from './devices/remembered-phones.ts'
import type { Announce } from './devices/token-verdict.ts'
import type { Clock } from './lib/clock.ts'
import type { Keyring } from './lib/keyring.ts'
import type { Passwords } from './lib/passwords.ts'
import type { Events } from './observability/events.ts'
import { createProvisionExtensions } from './pbx/extension-provisioning.ts'
import { createExtensionRemovalStore } from './pbx/extension-removal-store.ts'
import type { Signals } from './signals/signals.ts'

interface ExtensionDeps {
  db: Knex
  keyring: Keyring
  clock: Clock
  events: Events
  signals: Signals
  webhooks: { announce: Announce }
  passwords: Passwords
  extensionLimit(tenantId: string): Promise<number>
}

/** Wires what is known of extensions: their phones, who is there, and their calls. Closes by `deviceMoves`. */
export function createExtensions(core: ExtensionDeps) {
  const { db, clock, events, signals, keyring } = core
  const onError = (part: string) => (error: Error) => events.backgroundError(part, error)
  const extensions = createExtensionStore(db)
  const phones = rememberPhones(createPhoneStore(db), onError('phones'))
  const deviceMoves = createDeviceMoves({ phones, signals, announce: core.webhooks.announce, events, clock })
  const registerDevice = createRegisterDevice({
    devices: createDeviceStore(db),
    keyring,
    clock,
    onLeft: deviceMoves.moved,
    onEvicted: deviceMoves.forget,
  })
  const deviceList = createDeviceListStore(db)
  const extensionBatches = createExtensionBatchStore(db)
  return {
    extensions,
    extensionRemoval: createExtensionRemovalStore(db),
    phones,
    deviceMoves,
    registerDevice,
    presence: createPresence({ signals, clock, onError: onError('presence') }),
    directory: createDirectoryStore(db),
    callRecords: createCallRecordStore(db),
    callHistory: createCallHistoryStore(db),
    provisionExtensions: createProvisionExtensions({ ...core, extensions, extensionBatches, deviceMoves }),
    appDevices: createAppDevices({ ...core, registerDevice, deviceList, deviceMoves }),
  }
}
