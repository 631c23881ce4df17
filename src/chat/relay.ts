import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { HOUR } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { MessageLanePush } from '../push/push.ts'
import type { Privacy, Provider } from '../push/push-kinds.ts'
import { sealPush } from '../push/sealed-push.ts'
import type { EnqueueMessages } from '../push/submit-message.ts'
import type { Attention } from './attention.ts'
import { pushIdOf } from './chat.ts'
import { aim, makeNotice } from './make-notice.ts'
import { decideNotice, leavesBadgeBehind, type NoticeDecision } from './notice-decision.ts'
import type { KnownNotice, NoticeFactsStore } from './notice-facts-store.ts'
import { type OutboxEntry, type OutboxStore, STAGE, type TakenEntry } from './outbox-store.ts'
import type { EntryOutcome, RelayStore } from './relay-store.ts'

/** Messages that are seen to at once: each may be a row for each of hundreds of people. */
const BATCH = 50
const BADGES = 200
/** The job is only a reminder: what takes longer is left to the sweep. */
const ENQUEUE_MS = 500
/** The next one says more. */
const BADGE_TTL_MS = HOUR
/** Of what a phone is to take back; more would not fit, and the app finds the rest when it is opened. */
const MOST_CLEARED = 20

/** The same key for each: the id says all that there is to compare. */
const REQUEST = 'chat'

export interface RelayDeps {
  outbox: OutboxStore
  noticeFacts: NoticeFactsStore
  relayStore: RelayStore
  attention: Attention
  enqueueMessages: EnqueueMessages
  keyring: Keyring
  clock: Clock
  events: Events
  privacy: Privacy
}

/**
 * Carries what was committed with messages on to the messages lane: for each person a decision, for each phone that has to be told a
 * push. Any number of processes may do it at the same time. Tells whether there is more to do at once.
 */
export function createRelay(deps: RelayDeps) {
  return async function relay(): Promise<boolean> {
    const entries = await relayMessages(deps)
    const badges = await relayBadges(deps)
    return entries === BATCH || badges === BADGES
  }
}
export type Relay = ReturnType<typeof createRelay>

async function relayMessages(deps: RelayDeps): Promise<number> {
  const { outbox, noticeFacts, relayStore, clock } = deps
  const entries = await outbox.take(BATCH)
  if (entries.length === 0) return 0
  const notices = await noticeFacts.of(entries)
  const attentive = await deps.attention.attentive(waiting(notices))
  const now = clock.now()
  const decided = notices.map((notice) => ({ notice, decision: decide(notice, attentive, now) }))
  const told = await noticeFacts.told(escalated(decided))
  const byEntry = Map.groupBy(decided, ({ notice }) => notice.entry)
  const outcomes = entries.map((entry) => toOutcome(deps, entry, byEntry.get(entry) ?? [], { told, now }))
  await enqueue(deps, await relayStore.settle(outcomes, new Date(now)))
  return entries.length
}

/** Phones that may have their app open; whoever is not asked for the first time is not waited for any more. */
const waiting = (notices: readonly KnownNotice[]): string[] => [
  ...new Set(
    notices
      .filter(({ entry }) => entry.stage === STAGE.first)
      .flatMap(({ facts }) => facts.devices.map(({ id }) => id)),
  ),
]

function decide({ facts, entry }: KnownNotice, attentive: ReadonlySet<string>, now: number): NoticeDecision {
  const devices = facts.devices.map((device) => ({ ...device, isAttentive: attentive.has(device.id) }))
  return decideNotice({ ...facts, devices }, entry.stage, now)
}

interface Decided {
  notice: KnownNotice
  decision: NoticeDecision
}

/** The first pushes of what would be a second one. */
const escalated = (decided: readonly Decided[]): string[] =>
  decided.flatMap(({ notice: { entry }, decision }) =>
    entry.stage === STAGE.escalation ? decision.push.map((id) => pushIdOf(entry.messageId, id)) : [],
  )

function toOutcome(
  deps: RelayDeps,
  entry: TakenEntry,
  decided: readonly Decided[],
  { told, now }: { told: ReadonlySet<string>; now: number },
): EntryOutcome {
  const { messageId } = entry
  const isTold = (deviceId: string) => told.has(pushIdOf(messageId, deviceId))
  return {
    entryId: entry.id,
    pushes: decided.flatMap(({ notice, decision }) =>
      decision.push.flatMap((deviceId) => {
        const token = notice.tokens.get(deviceId)
        if (!token || isTold(deviceId)) return []
        return [seal(deps, makeNotice({ ...deps, now }, notice, token), REQUEST)]
      }),
    ),
    withheld: decided.flatMap(({ notice: { extensionId }, decision }) =>
      decision.withheld.map((each) => ({ messageId, extensionId, ...each })),
    ),
    badges: decided
      .filter(({ decision }) => decision.withheld.some(({ reason }) => leavesBadgeBehind(reason)))
      .map(({ notice: { extensionId } }) => ({ extensionId, tenantId: entry.tenantId, conversationIds: [] })),
    next: laterOf(entry, decided),
  }
}

/** Those who are looked at again at the same moment share an entry. */
function laterOf(entry: OutboxEntry, decided: readonly Decided[]): OutboxEntry[] {
  const later = decided.flatMap(({ notice: { extensionId, eventSeq }, decision: { next } }) =>
    next ? [{ ...next, recipient: { extensionId, eventSeq } }] : [],
  )
  return [...Map.groupBy(later, ({ stage, dueAt }) => `${stage} ${dueAt}`).values()].flatMap((same) => {
    const [first] = same
    if (!first) return []
    const recipients = same.map(({ recipient }) => recipient)
    return [{ ...entry, stage: first.stage, dueAt: new Date(first.dueAt), recipients }]
  })
}

async function relayBadges(deps: RelayDeps): Promise<number> {
  const now = deps.clock.now()
  const { count, pushes } = await deps.relayStore.settleBadges(BADGES, (due, tokens) =>
    tokens
      .filter(({ deviceId }) => deviceId !== due.exceptDeviceId)
      .map((token) => {
        const push: MessageLanePush = {
          id: newId(),
          tenantId: due.tenantId,
          kind: 'badge',
          // Counted when it is sent.
          content: { badge: 0, cleared: due.conversationIds.slice(-MOST_CLEARED) },
          subject: { extensionId: due.extensionId },
          ...aim(deps.keyring, token),
          privacy: deps.privacy,
          acceptedAt: now,
          expiresAt: now + BADGE_TTL_MS,
        }
        return seal(deps, push)
      }),
  )
  await enqueue(deps, pushes)
  return count
}

const seal = ({ keyring }: RelayDeps, push: MessageLanePush, requestHash?: string) => ({
  push,
  sealed: sealPush(keyring, push),
  ...(requestHash !== undefined && { requestHash }),
})

async function enqueue(
  { enqueueMessages, events }: RelayDeps,
  pushes: readonly { push: { id: string; provider: Provider } }[],
): Promise<void> {
  const added = [...Map.groupBy(pushes, ({ push }) => push.provider)].map(([provider, own]) =>
    enqueueMessages(
      provider,
      own.map(({ push: { id } }) => ({ id, generation: 0 })),
    ),
  )
  await within(ENQUEUE_MS, 'adding jobs', Promise.all(added)).catch((error: unknown) =>
    events.backgroundError('chat-relay', toError(error)),
  )
}
