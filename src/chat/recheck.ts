import type { UnreadCount } from '../devices/badges.ts'
import { createBatcher } from '../lib/batcher.ts'
import type { Clock } from '../lib/clock.ts'
import { HOUR, SECOND } from '../lib/units.ts'
import type { Push, PushOf } from '../push/push.ts'
import type { Privacy } from '../push/push-kinds.ts'
import type { SkipReason } from '../push/push-result.ts'
import type { Recheck } from '../push/recheck.ts'
import { pushIdOf } from './chat.ts'
import { escalationIdOf, NOTICE_TTL_MS } from './make-notice.ts'
import { leavesBadgeBehind, reasonForNone } from './notice-decision.ts'
import { type OutboxStore, STAGE } from './outbox-store.ts'
import type { Preview } from './push-settings.ts'
import type { Rechecked, RecheckStore, Shown, Standing } from './recheck-store.ts'

/** Pushes of one moment are asked for in one query. */
const BATCH = 200
const GATHER_MS = 2

const PRIVACY_OF = { full: 'full', sender: 'sender', none: 'wake' } as const satisfies Record<
  Preview,
  Privacy
>
const STRICTNESS = { full: 0, sender: 1, wake: 2 } as const satisfies Record<Privacy, number>

export interface RecheckDeps {
  recheckStore: RecheckStore
  outbox: OutboxStore
  unreadCount: UnreadCount
  clock: Clock
}

/**
 * Looks at what a push tells of in the moment in which it leaves: whether the phone still has to be told, what of, and how many there
 * are. What happens after this moment the app sees by itself.
 */
export function createRecheck(deps: RecheckDeps): Recheck {
  const { recheckStore, unreadCount } = deps
  const standings = createBatcher(
    (asked: Rechecked[]) => recheckStore.standings(asked, sinceWhen(deps.clock)),
    {
      ...{ size: BATCH, parallel: 2, waitMs: GATHER_MS },
    },
  )
  const parts = { ...deps, showing: createShowing(deps) }
  return async (push) => {
    const { subject, deviceId } = push
    if (!subject || !deviceId) return { send: push }
    const { extensionId, message } = subject
    if (push.kind === 'badge') {
      // What has come since it was read elsewhere is not to be taken back with it.
      const conversationIds = push.content.cleared ?? []
      const icon = { extensionId, deviceId, tokenHash: push.tokenHash, conversationIds }
      const { hasToken, cleared } = await recheckStore.icon(icon)
      if (!hasToken) return { skip: 'no_token' }
      const badge = await unreadCount(push.tenantId, extensionId)
      return { send: { ...push, content: { badge, cleared } } }
    }
    if (push.kind !== 'message' || !message) return { send: push }
    const standing = await standings.add({ extensionId, deviceId, tokenHash: push.tokenHash, message })
    if (!standing) return { skip: 'deleted' }
    const shown = await whatToShow(parts, { push, deviceId, message }, standing)
    if (typeof shown === 'string') {
      const badge = { extensionId, tenantId: push.tenantId, conversationIds: [] }
      if (leavesBadgeBehind(shown)) await deps.outbox.putBadges([badge])
      return { skip: shown }
    }
    const badge = await unreadCount(push.tenantId, extensionId)
    return { send: fill(push, shown, standing, badge) }
  }
}

type MessageSubject = NonNullable<NonNullable<Push['subject']>['message']>
interface Looked {
  push: PushOf<'message'>
  deviceId: string
  message: MessageSubject
}

async function whatToShow(
  deps: RecheckDeps & { showing: ReturnType<typeof createShowing> },
  { push, deviceId, message }: Looked,
  standing: Standing,
): Promise<(Shown & { id: string }) | SkipReason> {
  const { eventSeq } = message
  // A message that was deleted may have taken the place of others on the way to the phone: then the newest of these is shown.
  const older = standing.message.isDeleted ? standing.older : undefined
  const isStandIn = older && (await deps.recheckStore.superseded([pushIdOf(older.id, deviceId)])).size > 0
  const shown = isStandIn ? older : { id: message.id, ...standing.message }
  const devices = [
    { id: deviceId, hasToken: standing.hasToken, ackedSeq: standing.deviceAckedSeq, isAttentive: false },
  ]
  const facts = {
    ...standing,
    ...{ eventSeq, devices },
    message: {
      ...standing.message,
      isDeleted: standing.message.isDeleted && !isStandIn,
      mentionsHim: shown.mentionsHim,
    },
  }
  const none = reasonForNone(facts, deps.clock.now())
  if (none) return none
  if (!standing.hasToken) return 'no_token'
  if (standing.deviceAckedSeq >= eventSeq) return 'acked_by_device'
  if (isEnoughForUser(push, standing, message, deviceId)) {
    await escalate(deps, push, standing, message)
    return 'acked_by_user'
  }
  const isShowing = standing.newer && (await deps.showing.add({ messageId: standing.newer, deviceId }))
  return isShowing ? 'superseded' : shown
}

/** Another phone has it, and that is enough for him; not for a push that was made because nobody reads it there. */
const isEnoughForUser = (
  push: PushOf<'message'>,
  { settings, userAckedSeq }: Standing,
  { id, eventSeq }: MessageSubject,
  deviceId: string,
): boolean =>
  settings.pushWhen === 'no_device_acked' &&
  userAckedSeq >= eventSeq &&
  push.id !== escalationIdOf(id, deviceId)

/** Whoever wants to be told of what nobody has read is looked at again. */
async function escalate(
  { outbox }: RecheckDeps,
  { tenantId, subject }: PushOf<'message'>,
  { settings, message }: Standing,
  { id, conversationId, eventSeq }: MessageSubject,
): Promise<void> {
  if (settings.escalateAfterSeconds === 0 || !subject) return
  const dueAt = new Date(message.createdAt + settings.escalateAfterSeconds * SECOND)
  const recipients = [{ extensionId: subject.extensionId, eventSeq }]
  await outbox.put([{ messageId: id, stage: STAGE.escalation, tenantId, conversationId, dueAt, recipients }])
}

/** Bounds a search of the log: before this no push was accepted that could still leave. */
const sinceWhen = (clock: Clock): Date => new Date(clock.now() - NOTICE_TTL_MS - HOUR)

/**
 * Which messages are on their way to which phones, or shown there: whoever comes later would only take their place. One that is only in
 * the outbox is not on its way: it may be deleted before it is, or wait for the grace of a phone, and the next one after it as well.
 */
const createShowing = ({ recheckStore, clock }: RecheckDeps) =>
  createBatcher(
    async (asked: { messageId: string; deviceId: string }[]) => {
      const ids = asked.map(({ messageId, deviceId }) => pushIdOf(messageId, deviceId))
      const showing = await recheckStore.showing(ids, sinceWhen(clock))
      return ids.map((id) => showing.has(id))
    },
    { size: BATCH, parallel: 2, waitMs: GATHER_MS },
  )

function fill(
  push: PushOf<'message'>,
  shown: Shown & { id: string },
  { conversation, settings, unread }: Standing,
  badge: number,
): PushOf<'message'> {
  const sender = shown.senderName || shown.senderNumber
  const isGroup = conversation.kind === 'group'
  const text = isGroup ? `${sender}: ${shown.content}` : shown.content
  const asked = PRIVACY_OF[settings.preview]
  return {
    ...push,
    privacy: STRICTNESS[asked] > STRICTNESS[push.privacy] ? asked : push.privacy,
    content: {
      ...push.content,
      messageId: shown.id,
      senderName: sender,
      ...(isGroup && conversation.title !== '' && { title: conversation.title }),
      // What is no text is for the app to show.
      text: shown.kind === 'text' ? text : '',
      badge,
      unread,
    },
  }
}
