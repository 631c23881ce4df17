import { newId } from '../../src/lib/ids.ts'
import type { Keyring } from '../../src/lib/keyring.ts'
import type { NewPending } from '../../src/push/pending-push-store.ts'
import type { PushOf } from '../../src/push/push.ts'
import { sealPush } from '../../src/push/sealed-push.ts'
import { messageTokens } from './message-tokens.ts'

const TTL_MS = 24 * 3_600_000

/** Chat messages as they are owed, so many at a time. */
export function* promisedMessages(
  keyring: Keyring,
  tenantId: string,
  count: number,
  batch: number,
): Generator<NewPending[]> {
  const tokens = messageTokens().map((token) => ({ token, tokenHash: keyring.tokenHash(token) }))
  for (let from = 0; from < count; from += batch) {
    yield Array.from({ length: Math.min(batch, count - from) }, (_, i) => {
      const aim = tokens[(from + i) % tokens.length] as (typeof tokens)[number]
      const push = toPush(tenantId, aim)
      return { push, sealed: sealPush(keyring, push) }
    })
  }
}

function toPush(tenantId: string, aim: { token: string; tokenHash: string }): PushOf<'message'> {
  const acceptedAt = Date.now()
  return {
    ...{
      id: newId(),
      tenantId,
      kind: 'message',
      provider: 'fcm',
      environment: 'production',
      appId: 'default',
    },
    ...{ tokenKind: 'fcm', ...aim, privacy: 'full', acceptedAt, expiresAt: acceptedAt + TTL_MS },
    content: {
      ...{ messageId: newId(), conversationId: newId(), senderName: 'Ada Lovelace' },
      text: 'The engine can arrange and combine its numerical quantities.',
    },
  }
}
