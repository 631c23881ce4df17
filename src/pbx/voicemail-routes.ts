import { z } from 'zod'
import type { Badges } from '../devices/badges.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { StoredFiles } from '../storage/stored-files.ts'
import type { PbxKey } from './pbx-key-store.ts'
import type { VoicemailMessageStore, VoicemailPlace } from './voicemail-message-store.ts'
import {
  describeStored,
  MessageId,
  VoicemailAnswer,
  VoicemailChange,
  VoicemailFields,
  VoicemailQuery,
} from './voicemail-schemas.ts'
import type { ReceiveVoicemail } from './voicemail-upload.ts'

export interface VoicemailRouteDeps {
  pbxAuth: AuthScheme<PbxKey>
  voicemailMessages: VoicemailMessageStore
  receiveVoicemail: ReceiveVoicemail
  files: StoredFiles
  badges: Badges
  clock: Clock
}

/** Ten minutes of what a telephone line carries (16 bit, 8 kHz). */
export const MAX_AUDIO_BYTES = 10_000_000

const tag = 'PBX'
const path = '/api/v1/pbx/voicemail/{id}'
const params = z.object({ id: MessageId })
const problems = ['unauthorized', 'invalid_credentials', 'store_unavailable'] as const

/** Messages as the PBX brings and sees them. */
export const pbxVoicemailRoutes = (deps: VoicemailRouteDeps): Route[] => [
  addMessage(deps),
  listMessages(deps),
  changeMessage(deps),
  deleteMessage(deps),
]

const addMessage = ({ pbxAuth, receiveVoicemail }: VoicemailRouteDeps): Route =>
  route({
    method: 'post',
    path: '/api/v1/pbx/voicemail',
    tag,
    summary: 'Bring a voicemail message',
    description:
      'The part `audio` is a file: WAV (PCM, A-law or µ-law) or Ogg Opus, at most 10 MB. What it is and how long it is, is read from its content. The same `external_id` a second time is answered with the first message. The devices of the box’s extensions get a push.',
    auth: pbxAuth,
    upload: { fields: VoicemailFields, file: 'audio', fileBytes: MAX_AUDIO_BYTES },
    replies: [
      { status: 201, description: 'It is there.', schema: VoicemailAnswer },
      { status: 200, description: 'It was there before.', schema: VoicemailAnswer },
    ],
    problems: [
      ...problems,
      'unknown_box',
      'box_full',
      'voicemail_full',
      'message_too_long',
      'unsupported_media',
      'storage_unavailable',
    ],
    async handler({ caller, receive }) {
      const { message, isNew } = await receiveVoicemail(caller.tenantId, receive)
      return { status: isNew ? 201 : 200, data: describeStored(message) }
    },
  })

const listMessages = ({ pbxAuth, voicemailMessages }: VoicemailRouteDeps): Route =>
  route({
    method: 'get',
    path: '/api/v1/pbx/voicemail',
    tag,
    summary: 'The voicemail messages, newest first',
    auth: pbxAuth,
    query: VoicemailQuery,
    replies: [
      {
        status: 200,
        description: 'A page of messages.',
        schema: z.object({
          messages: z.array(VoicemailAnswer),
          next_cursor: z.string().optional().describe('For the next page, if there is one.'),
        }),
      },
    ],
    problems,
    async handler({ query: { box, limit, cursor }, caller }) {
      const after = cursor === undefined ? undefined : readCursor(cursor)
      const found = await orStoreAway(
        voicemailMessages.list(caller.tenantId, { box, after, limit: limit + 1 }),
      )
      const messages = found.slice(0, limit)
      const last = messages.at(-1)
      const next = found.length > limit && last ? toCursor(last) : undefined
      return {
        data: { messages: messages.map(describeStored), ...(next !== undefined && { next_cursor: next }) },
      }
    },
  })

const changeMessage = ({ pbxAuth, voicemailMessages, badges, clock }: VoicemailRouteDeps): Route =>
  route({
    method: 'patch',
    path,
    tag,
    summary: 'Add a transcription, or say that a message was heard',
    auth: pbxAuth,
    params,
    body: VoicemailChange,
    replies: [{ status: 200, description: 'As it is now.', schema: VoicemailAnswer }],
    problems: [...problems, 'unknown_voicemail'],
    async handler({ params: { id }, body, caller }) {
      const now = new Date(clock.now())
      const changed = await orStoreAway(voicemailMessages.change(caller.tenantId, id, { ...body, now }))
      if (!changed) throw new Problem('unknown_voicemail')
      badges.changed(caller.tenantId, changed.extensionIds)
      return { data: describeStored(changed.message) }
    },
  })

const deleteMessage = ({ pbxAuth, voicemailMessages, files, badges, clock }: VoicemailRouteDeps): Route =>
  route({
    method: 'delete',
    path,
    tag,
    summary: 'Delete a voicemail message',
    auth: pbxAuth,
    params,
    replies: [{ status: 200, description: 'It is gone.', schema: z.object({ status: z.literal('ok') }) }],
    problems: [...problems, 'unknown_voicemail'],
    async handler({ params: { id }, caller }) {
      const gone = await orStoreAway(voicemailMessages.remove(caller.tenantId, id, new Date(clock.now())))
      if (!gone) throw new Problem('unknown_voicemail')
      badges.changed(caller.tenantId, gone.extensionIds)
      files.eraseSoon([gone.file])
      return { data: { status: 'ok' } }
    },
  })

/** Of the years that a message may have. */
const [FIRST_MS, LAST_MS] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59.999Z')]
const Place = z.tuple([z.int().min(FIRST_MS).max(LAST_MS), z.int().min(0)])

const toCursor = ({ recordedAt, id }: { recordedAt: Date; id: number }): string =>
  Buffer.from(JSON.stringify([recordedAt.getTime(), id])).toString('base64url')

function readCursor(text: string): VoicemailPlace {
  try {
    const [recordedAt, id] = Place.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { recordedAt, id }
  } catch (cause) {
    const sentence = 'cursor must be the next_cursor of an earlier answer'
    throw new Problem('invalid_request', { sentence, field: 'cursor', cause })
  }
}
