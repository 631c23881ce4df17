import { createBatcher } from '../lib/batcher.ts'
import { toError } from '../lib/error.ts'
import { HOUR, SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { NotifyDevices } from './notify-devices.ts'

/** How many things of an extension nobody has looked at yet. */
export type UnreadCount = (tenantId: string, extensionId: number) => Promise<number>

/** The same of one kind for many at once, by extension id; those without any may be missing. */
export type UnreadOfAll = (owners: readonly UnreadOwner[]) => Promise<ReadonlyMap<number, number>>
export interface UnreadOwner {
  tenantId: string
  extensionId: number
}

/** Counts of one moment are one query of each kind. */
const BATCH = 500

/** The number on the icon counts all kinds of things together. */
export function sumUnread(kinds: readonly UnreadOfAll[]): UnreadCount {
  const counts = createBatcher(
    async (asked: UnreadOwner[]) => {
      const owners = [...new Map(asked.map((owner) => [owner.extensionId, owner])).values()]
      const each = await Promise.all(kinds.map((unread) => unread(owners)))
      return asked.map(({ extensionId }) =>
        each.reduce((sum, unread) => sum + (unread.get(extensionId) ?? 0), 0),
      )
    },
    { size: BATCH, parallel: 2 },
  )
  return (tenantId, extensionId) => counts.add({ tenantId, extensionId })
}

/** Whoever goes through a full box changes the number at every message; one push says it all. */
const GATHER_MS = SECOND
/** The next one says more. */
const TTL_MS = HOUR

export interface BadgesDeps {
  unreadCount: UnreadCount
  notifyDevices: NotifyDevices
  events: Events
  gatherMs?: number
}

/** Keeps the number on the icon right when something was read or deleted elsewhere. */
export function createBadges({ unreadCount, notifyDevices, events, gatherMs = GATHER_MS }: BadgesDeps) {
  const waiting = new Map<string, { timer: NodeJS.Timeout; send: () => Promise<void> }>()
  const sending = new Set<Promise<void>>()

  const send = async (tenantId: string, extensionId: number): Promise<void> => {
    try {
      // Counted only now: what matters is how many there are when the push goes.
      const badge = await unreadCount(tenantId, extensionId)
      const notice = { kind: 'badge', content: { badge }, ttlMs: TTL_MS } as const
      await notifyDevices(tenantId, extensionId, notice)
    } catch (error) {
      events.backgroundError('badges', toError(error))
    }
  }
  const start = (key: string): void => {
    const entry = waiting.get(key)
    if (!entry) return
    clearTimeout(entry.timer)
    waiting.delete(key)
    const work = entry.send().finally(() => sending.delete(work))
    sending.add(work)
  }
  return {
    /** The number of unread things of these extensions may be another one now. */
    changed(tenantId: string, extensionIds: readonly number[]): void {
      for (const extensionId of extensionIds) {
        const key = `${tenantId} ${extensionId}`
        if (waiting.has(key)) continue
        waiting.set(key, {
          timer: setTimeout(start, gatherMs, key),
          send: () => send(tenantId, extensionId),
        })
      }
    },
    /** Sends what waits at once; resolves when all of it is promised. */
    async close(): Promise<void> {
      for (const key of [...waiting.keys()]) start(key)
      await Promise.all(sending)
    },
  }
}
export type Badges = ReturnType<typeof createBadges>
