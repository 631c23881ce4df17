import { aimPush } from '../devices/aim-push.ts'
import type { AlertToken } from '../devices/alert-token-store.ts'
import { derivedId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { DAY } from '../lib/units.ts'
import type { PushOf } from '../push/push.ts'
import type { Privacy } from '../push/push-kinds.ts'
import { pushIdOf } from './chat.ts'
import type { KnownNotice } from './notice-facts-store.ts'
import { STAGE } from './outbox-store.ts'

/** Who has not looked for a day finds it in the app. */
export const NOTICE_TTL_MS = DAY

/** A second push of a message to a phone: only where the first one said nothing because another phone had it. */
export const escalationIdOf = (messageId: string, deviceId: string): string =>
  derivedId('chat-escalation', messageId, deviceId)

/** The push that tells a phone of a message. What it says is filled in when it is sent: until then it may be another thing. */
export function makeNotice(
  { keyring, privacy, now }: { keyring: Keyring; privacy: Privacy; now: number },
  { entry, facts, extensionId, eventSeq }: KnownNotice,
  token: AlertToken,
): PushOf<'message'> {
  const idOf = entry.stage === STAGE.escalation ? escalationIdOf : pushIdOf
  const { messageId, conversationId, tenantId } = entry
  return {
    id: idOf(messageId, token.deviceId),
    tenantId,
    kind: 'message',
    content: { messageId, conversationId, text: '' },
    subject: { extensionId, message: { id: messageId, conversationId, seq: facts.message.seq, eventSeq } },
    ...aimPush(keyring, token),
    extension: token.extension,
    privacy,
    acceptedAt: now,
    expiresAt: now + NOTICE_TTL_MS,
  }
}
