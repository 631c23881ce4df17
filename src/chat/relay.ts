import type { Clock } from '../lib/clock.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { Events } from '../observability/events.ts'
import type { PushOf } from '../push/push.ts'
import type { Privacy } from '../push/push-kinds.ts'
import { sealPush } from '../push/sealed-push.ts'
import type { EnqueueMessages } from '../push/submit-message.ts'
import type { Attention } from './attention.ts'
import { pushIdOf } from './chat.ts'
import { makeNotice } from './make-notice.ts'
import type { NoticeAllowance } from './notice-allowance.ts'
import { decideNotice, leavesBadgeBehind, type NoticeDecision } from './notice-decision.ts'
import type { KnownNotice, NoticeFactsStore } from './notice-facts-store.ts'
import { type OutboxEntry, type OutboxStore, STAGE, type TakenEntry } from './outbox-store.ts'
import { BADGES, relayBadges } from './relay-badges.ts'
import type { EntryOutcome, RelayStore } from './relay-store.ts'
import { remind } from './remind.ts'

/** Messages that are seen to at once: each may be a row for each of hundreds of people. */
const BATCH = 50
/** The same key for each: the id says all that there is to compare. */
const REQUEST = 'chat'

export interface RelayDeps {
  outbox: OutboxStore
  noticeFacts: NoticeFactsStore
  relayStore: RelayStore
  attention: Attention
  noticeAllowance: NoticeAllowance
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
  const wanted = entries.map((entry) => toOutcome(deps, entry, byEntry.get(entry) ?? [], { told, now }))
  const outcomes = await withinLicenses(deps, wanted)
  await remind(deps, await relayStore.settle(outcomes, new Date(now)))
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

/** Before anybody asked whether the licences of the tenant let it pass. */
type WantedOutcome = Omit<EntryOutcome, 'pushes'> & { tenantId: string; pushes: PushOf<'message'>[] }

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
): WantedOutcome {
  const { messageId } = entry
  const isTold = (deviceId: string) => told.has(pushIdOf(messageId, deviceId))
  return {
    entryId: entry.id,
    tenantId: entry.tenantId,
    pushes: decided.flatMap(({ notice, decision }) =>
      decision.push.flatMap((deviceId) => {
        const token = notice.tokens.get(deviceId)
        if (!token || isTold(deviceId)) return []
        return [makeNotice({ ...deps, now }, notice, token)]
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

/** The first ones may go, if not all may. */
async function withinLicenses(
  { keyring, noticeAllowance }: RelayDeps,
  wanted: readonly WantedOutcome[],
): Promise<EntryOutcome[]> {
  const outcomes: EntryOutcome[] = []
  for (const { tenantId, pushes, ...outcome } of wanted) {
    const { licenseIds, otherwise } =
      pushes.length === 0 ? NOTHING : await noticeAllowance.take(tenantId, pushes.length)
    const licensed = licenseIds.flatMap((licenseId, index) => {
      const push = pushes[index]
      return push ? [{ ...push, licenseId }] : []
    })
    const refused = pushes
      .slice(licensed.length)
      .flatMap(({ content, subject, deviceId }) =>
        subject && deviceId
          ? [{ messageId: content.messageId, extensionId: subject.extensionId, deviceId, reason: otherwise }]
          : [],
      )
    outcomes.push({
      ...outcome,
      pushes: licensed.map((push) => ({ push, sealed: sealPush(keyring, push), requestHash: REQUEST })),
      withheld: [...outcome.withheld, ...refused],
    })
  }
  return outcomes
}
const NOTHING = { licenseIds: [], otherwise: 'over_limit' } as const
