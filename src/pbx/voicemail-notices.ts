import type { UnreadCount } from '../devices/badges.ts'
import type { NotifyDevices } from '../devices/notify-devices.ts'
import { DAY } from '../lib/units.ts'
import type { PendingPushStore } from '../push/pending-push-store.ts'
import type { OpenPromises } from '../push/promise-messages.ts'
import type { SubmitMessage } from '../push/submit-message.ts'
import type { NewMessage, Transaction } from './voicemail-message-store.ts'

/** The news of one message. */
export interface Notices {
  /** Commits with the message what its owners will be told. */
  promise(trx: Transaction, added: NewMessage): Promise<void>
  /** After the commit. */
  remind(): void
}
export type OpenNotices = (tenantId: string) => Notices

export interface VoicemailNoticesDeps {
  openPromises: OpenPromises
  /** What looks and writes within this transaction. */
  within(
    trx: Transaction,
    submitMessage: SubmitMessage,
  ): { notifyDevices: NotifyDevices; unreadCount: UnreadCount; pendingPushes: PendingPushStore }
}

/** How long it is worth delivering. */
const NOTICE_MS = DAY

export const createVoicemailNotices =
  ({ openPromises, within }: VoicemailNoticesDeps): OpenNotices =>
  (tenantId) => {
    const promises = openPromises()
    return {
      async promise(trx, { message, extensionIds }) {
        const { notifyDevices, unreadCount, pendingPushes } = within(trx, promises.submitMessage)
        for (const extensionId of extensionIds) {
          const content = {
            voicemailId: String(message.id),
            callerId: message.callerIdNum,
            ...(message.callerIdName && { callerName: message.callerIdName }),
            durationSeconds: message.durationSeconds,
            badge: await unreadCount(tenantId, extensionId),
          }
          await notifyDevices(tenantId, extensionId, { kind: 'voicemail', content, ttlMs: NOTICE_MS })
        }
        await promises.write(pendingPushes)
      },
      remind: promises.remind,
    }
  }
