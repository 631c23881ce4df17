import { aimPush } from '../devices/aim-push.ts'
import type { AlertToken } from '../devices/alert-token-store.ts'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { HOUR } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { NewPending } from '../push/pending-push-store.ts'
import type { MessageLanePush } from '../push/push.ts'
import type { Privacy } from '../push/push-kinds.ts'
import { sealPush } from '../push/sealed-push.ts'
import type { EnqueueMessages } from '../push/submit-message.ts'
import type { NoticeAllowance } from './notice-allowance.ts'
import type { DueBadge, OutboxStore } from './outbox-store.ts'
import type { RelayStore } from './relay-store.ts'
import { remind } from './remind.ts'

/** Icons that are seen to at once. */
export const BADGES = 200
/** The next one says more. */
const TTL_MS = HOUR
/** Of what a phone is to take back; more would not fit, and the app finds the rest when it is opened. */
const MOST_CLEARED = 20

export interface RelayBadgesDeps {
  outbox: OutboxStore
  relayStore: RelayStore
  noticeAllowance: NoticeAllowance
  enqueueMessages: EnqueueMessages
  keyring: Keyring
  clock: Clock
  events: Events
  privacy: Privacy
}

/**
 * Sets the numbers on icons that are out of date, and takes back what was read elsewhere. These pushes show nothing, so they are counted on
 * nobody's account; a tenant without a licence gets none. Returns how many there were.
 */
export async function relayBadges(deps: RelayBadgesDeps): Promise<number> {
  const licensed = new Set<string>()
  // Asked before the transaction, which must not wait for another store.
  for (const tenantId of await deps.outbox.badgeTenants()) {
    if (await deps.noticeAllowance.isLicensed(tenantId)) licensed.add(tenantId)
  }
  const { count, pushes } = await deps.relayStore.settleBadges(BADGES, (due, tokens) =>
    licensed.has(due.tenantId) ? makeBadges(deps, due, tokens) : [],
  )
  await remind(deps, pushes)
  return count
}

function makeBadges(
  { keyring, clock, privacy }: RelayBadgesDeps,
  { tenantId, extensionId, conversationIds, exceptDeviceId }: DueBadge,
  tokens: readonly AlertToken[],
): NewPending[] {
  const now = clock.now()
  return tokens
    .filter(({ deviceId }) => deviceId !== exceptDeviceId)
    .map((token) => {
      const push: MessageLanePush = {
        ...{ id: newId(), tenantId, kind: 'badge' as const },
        // Counted when it is sent.
        content: { badge: 0, cleared: conversationIds.slice(-MOST_CLEARED) },
        subject: { extensionId },
        ...aimPush(keyring, token),
        extension: token.extension,
        privacy,
        acceptedAt: now,
        expiresAt: now + TTL_MS,
      }
      return { push, sealed: sealPush(keyring, push) }
    })
}
