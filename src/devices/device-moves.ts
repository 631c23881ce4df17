import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import { MINUTE } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { Signals } from '../signals/signals.ts'
import type { FormerOwner } from './device-owner-store.ts'
import type { RememberedPhones } from './remembered-phones.ts'
import type { Announce } from './token-verdict.ts'

const CHANNEL = 'phones-left'
/** The message matters, not the key; a moment, so that it can be looked at. */
const KEPT_MS = MINUTE

/**
 * What follows when an extension loses a phone: no process may go on calling it from memory, which each does while the database is
 * away, and its owner is told.
 */
export function createDeviceMoves(deps: {
  phones: Pick<RememberedPhones, 'forget'>
  signals: Pick<Signals, 'put' | 'subscribe'>
  announce: Announce
  events: Pick<Events, 'backgroundError'>
  clock: Clock
}) {
  const note = (error: unknown) => deps.events.backgroundError('device-moves', toError(error))
  const subscription = deps.signals.subscribe(CHANNEL, (_key, value) => {
    if (value === undefined) return
    const { tenantId, extension } = JSON.parse(value) as FormerOwner
    deps.phones.forget(tenantId, extension)
  })
  // It listens from when the store is there.
  subscription.ready.catch(note)

  const forget = async ({ tenantId, extension }: FormerOwner): Promise<void> => {
    deps.phones.forget(tenantId, extension)
    const value = JSON.stringify({ tenantId, extension })
    await deps.signals.put({ key: CHANNEL, value, ttlMs: KEPT_MS, channel: CHANNEL }).catch(note)
  }

  return {
    /** Every process forgets which phones the extension has. Never rejects. */
    forget,
    /** Its phone or token is another extension's now. Never rejects. */
    async moved(owners: readonly FormerOwner[]): Promise<void> {
      for (const owner of owners) {
        await forget(owner)
        const data = { extension: owner.extension, moved_at: new Date(deps.clock.now()).toISOString() }
        await deps.announce(owner.tenantId, { type: 'device.moved', data }).catch(note)
      }
    },
    close: (): void => subscription.close(),
  }
}
export type DeviceMoves = ReturnType<typeof createDeviceMoves>
