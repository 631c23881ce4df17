import type { Knex } from 'knex'
import { createVoicemailStore } from './app/voicemail-store.ts'
import type { Config } from './config/config.ts'
import type { BucketKey } from './config/voicemail-variables.ts'
import { createAlertTokenStore } from './devices/alert-token-store.ts'
import { createBadges, type UnreadCount } from './devices/badges.ts'
import { createNotifyDevices } from './devices/notify-devices.ts'
import type { Clock } from './lib/clock.ts'
import type { Keyring } from './lib/keyring.ts'
import type { TenantPushes } from './limits/tenant-pushes.ts'
import type { Events } from './observability/events.ts'
import { createVoicemailBoxStore } from './pbx/voicemail-box-store.ts'
import { createVoicemailMessageStore } from './pbx/voicemail-message-store.ts'
import { createVoicemailNotices } from './pbx/voicemail-notices.ts'
import { createVoicemailRetentionStore } from './pbx/voicemail-retention-store.ts'
import { createVoicemailUpload } from './pbx/voicemail-upload.ts'
import { createPendingPushStore } from './push/pending-push-store.ts'
import { createPromiseMessages } from './push/promise-messages.ts'
import type { EnqueueMessages, SubmitMessage } from './push/submit-message.ts'
import { createDirectoryStorage } from './storage/directory-storage.ts'
import type { FileStorage } from './storage/file-storage.ts'
import { createStoredFileStore } from './storage/stored-file-store.ts'
import { createStoredFiles } from './storage/stored-files.ts'
import { createUnreadCount } from './unread-count.ts'

/** Where recordings are kept. The library for buckets is large, and loaded only where there is one. */
export async function openFileStorage(
  { directory, bucket }: Config['voicemail'],
  key: BucketKey | undefined,
): Promise<FileStorage> {
  if (!bucket || !key) return createDirectoryStorage(directory)
  const { createBucketStorage } = await import('./storage/bucket-storage.ts')
  return createBucketStorage(bucket, key)
}

interface VoicemailDeps {
  db: Knex
  config: Config
  keyring: Keyring
  clock: Clock
  events: Events
  fileStorage: FileStorage
  submitMessage: SubmitMessage
  unreadCount: UnreadCount
  enqueueMessages: EnqueueMessages
  tenantPushes: TenantPushes
}

/** Wires voicemail: from the PBX into the storage, from there to the app, and the news of it to the phones. */
export function createVoicemail(core: VoicemailDeps) {
  const { db, config } = core
  const voicemail = createVoicemailStore(db)
  const voicemailMessages = createVoicemailMessageStore(db)
  const storedFiles = createStoredFileStore(db)
  const files = createStoredFiles({ ...core, storedFiles })
  const notifyOver = (trx: Knex, submitMessage: SubmitMessage) =>
    createNotifyDevices({
      ...core,
      ...{ submitMessage, privacy: config.pushPrivacy },
      alertTokens: createAlertTokenStore(trx),
    })
  const openNotices = createVoicemailNotices({
    openPromises: createPromiseMessages(core),
    within: (trx, submitMessage) => ({
      notifyDevices: notifyOver(trx, submitMessage),
      unreadCount: createUnreadCount(trx),
      pendingPushes: createPendingPushStore(trx),
    }),
  })
  const notifyDevices = notifyOver(db, core.submitMessage)
  const badges = createBadges({ ...core, notifyDevices })
  const { quotaBytes } = config.voicemail
  const told = { notifyDevices, badges }
  return {
    voicemail,
    voicemailMessages,
    voicemailBoxes: createVoicemailBoxStore(db),
    voicemailRetention: createVoicemailRetentionStore(db),
    receiveVoicemail: createVoicemailUpload({ ...core, openNotices, voicemailMessages, files, quotaBytes }),
    storedFiles,
    files,
    ...told,
  }
}
