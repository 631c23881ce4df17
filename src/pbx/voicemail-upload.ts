import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReceiveUpload } from '../http/multipart.ts'
import { validate } from '../http/validate.ts'
import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { StoredFile, StoredFiles } from '../storage/stored-files.ts'
import { checkContainer } from './voicemail-container.ts'
import { type Recording, readRecording } from './voicemail-media.ts'
import type { StoredVoicemail, VoicemailMessageStore } from './voicemail-message-store.ts'
import type { Notices, OpenNotices } from './voicemail-notices.ts'
import { VoicemailFields } from './voicemail-schemas.ts'

export interface VoicemailUploadDeps {
  voicemailMessages: VoicemailMessageStore
  files: StoredFiles
  openNotices: OpenNotices
  clock: Clock
  /** Of a tenant. */
  quotaBytes: number
}
type Taken = StoredFile & Recording

/**
 * Takes a message of the PBX: the file first, then in one commit the message, the word that its file stays, and the promise of the
 * pushes that tell of it. Whatever fails leaves none of them. The same message a second time is answered with the first.
 */
export function createVoicemailUpload(deps: VoicemailUploadDeps) {
  const { voicemailMessages, files, openNotices, clock, quotaBytes } = deps

  const store = async (
    tenantId: string,
    { fields, taken }: { fields: unknown; taken: Taken },
    notices: Notices,
  ) => {
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
      notices.promise,
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
    const notices = openNotices(tenantId)
    const added = await orStoreAway(store(tenantId, received, notices)).catch(async (error: unknown) => {
      await drop(received.taken)
      throw error
    })
    if (added.is === 'known') {
      await drop(received.taken)
      return { message: added.message, isNew: false }
    }
    notices.remind()
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
