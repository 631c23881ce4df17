import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Badges, UnreadCount } from '../devices/badges.ts'
import type { NotifyDevices } from '../devices/notify-devices.ts'
import type { ReceiveUpload } from '../http/multipart.ts'
import { validate } from '../http/validate.ts'
import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import { DAY } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { StoredFile, StoredFiles } from '../storage/stored-files.ts'
import { checkContainer } from './voicemail-container.ts'
import { type Recording, readRecording } from './voicemail-media.ts'
import type { StoredVoicemail, VoicemailMessageStore } from './voicemail-message-store.ts'
import { VoicemailFields } from './voicemail-schemas.ts'

export interface VoicemailUploadDeps {
  voicemailMessages: VoicemailMessageStore
  files: StoredFiles
  notifyDevices: NotifyDevices
  unreadCount: UnreadCount
  badges: Badges
  clock: Clock
  events: Events
  /** Of a tenant. */
  quotaBytes: number
}
type Taken = StoredFile & Recording

/** How long news of a message is worth delivering. */
const NOTICE_MS = DAY

/**
 * Takes a message of the PBX: the file first, then in one commit the message and the word that its file stays. Whatever fails
 * leaves neither. The same message a second time is answered with the first.
 */
export function createVoicemailUpload(deps: VoicemailUploadDeps) {
  const { voicemailMessages, files, clock, quotaBytes } = deps

  const store = async (tenantId: string, { fields, taken }: { fields: unknown; taken: Taken }) => {
    const { box, timestamp, ...message } = validate(VoicemailFields, fields)
    const now = new Date(clock.now())
    const added = await voicemailMessages.add(
      tenantId,
      box,
      {
        externalId: message.external_id,
        callerIdName: message.caller_id_name,
        callerIdNum: message.caller_id_num,
        transcription: message.transcription,
        recordedAt: timestamp === undefined ? now : new Date(timestamp),
        durationSeconds: taken.durationSeconds,
        mediaType: taken.mediaType,
        fileKey: taken.key,
        sizeBytes: taken.size,
        sha256: taken.sha256,
        createdAt: now,
      },
      { quotaBytes, now },
    )
    if (added.is !== 'refused') return added
    if (added.why === 'late') throw new Problem('storage_unavailable', { retryAfter: 5 })
    throw new Problem(added.why, { field: FIELD_OF[added.why] })
  }

  return async function receiveVoicemail(
    tenantId: string,
    receive: ReceiveUpload,
  ): Promise<{ message: StoredVoicemail; isNew: boolean }> {
    const drop = ({ key }: Taken) => files.drop(tenantId, key)
    const received = await receive({ take: (file) => takeRecording(files, tenantId, file), undo: drop })
    const added = await orStoreAway(store(tenantId, received)).catch(async (error: unknown) => {
      await drop(received.taken)
      throw error
    })
    if (added.is === 'known') {
      await drop(received.taken)
      return { message: added.message, isNew: false }
    }
    await tellOwners(deps, tenantId, added)
    return { message: added.message, isNew: true }
  }
}
export type ReceiveVoicemail = ReturnType<typeof createVoicemailUpload>

const FIELD_OF = {
  unknown_box: 'box',
  box_full: 'box',
  message_too_long: 'audio',
  voicemail_full: 'audio',
} as const

/** Written first and looked into then: how long a recording is may stand at its end. */
async function takeRecording(files: StoredFiles, tenantId: string, upload: Readable): Promise<Taken> {
  const refusal = () => new Problem('unsupported_media', { field: 'audio' })
  const checked = checkContainer(refusal)
  // Both to their ends: only then is nothing left of a file that failed.
  const [passed, written] = await Promise.allSettled([
    pipeline(upload, checked),
    files.write(tenantId, checked),
  ])
  // Each fails when the other does; what the upload itself suffered from is the better reason.
  if (passed.status === 'rejected' && passed.reason instanceof Problem) throw passed.reason
  if (written.status === 'rejected') throw written.reason
  const file = written.value
  try {
    const recording = await readRecording(await files.read(file.key), file.size)
    if (!recording) throw refusal()
    return { ...file, ...recording }
  } catch (error) {
    await files.drop(tenantId, file.key)
    throw error
  }
}

/** The message is there, whatever becomes of this. */
async function tellOwners(
  { notifyDevices, unreadCount, events }: VoicemailUploadDeps,
  tenantId: string,
  { message, extensionIds }: { message: StoredVoicemail; extensionIds: readonly number[] },
): Promise<void> {
  const tell = async (extensionId: number) => {
    const badge = await unreadCount(tenantId, extensionId)
    const content = {
      voicemailId: String(message.id),
      callerId: message.callerIdNum,
      ...(message.callerIdName && { callerName: message.callerIdName }),
      durationSeconds: message.durationSeconds,
      badge,
    }
    await notifyDevices(tenantId, extensionId, { kind: 'voicemail', content, ttlMs: NOTICE_MS })
  }
  const told = await Promise.allSettled(extensionIds.map(tell))
  for (const each of told) {
    if (each.status === 'rejected') events.backgroundError('voicemail', toError(each.reason))
  }
}
