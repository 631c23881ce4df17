import { z } from 'zod'
import { ExtensionNumber } from './pbx-schemas.ts'
import type { VoicemailBox } from './voicemail-box-store.ts'
import type { StoredVoicemail } from './voicemail-message-store.ts'

const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !value.includes('\0'), 'must not contain NUL')

export const BoxNumber = text(64).min(1).describe('Number or name of the box, as the PBX has it.')
export const MessageId = z
  .string()
  .regex(/^\d{1,15}$/, 'invalid voicemail message id')
  .transform(Number)

export const BoxBody = z
  .strictObject({
    name: text(200).optional(),
    extensions: z
      .array(ExtensionNumber)
      .max(100)
      .describe('Who hears its messages; several may share a box, and one may have several.'),
    max_messages: z.int().min(1).max(10_000).optional().describe('100 for a new box.'),
    max_seconds: z.int().min(1).max(3_600).optional().describe('Of a message; 300 for a new box.'),
    retention_days: z
      .int()
      .min(1)
      .max(3_650)
      .nullable()
      .optional()
      .describe('After which messages are deleted; null: never.'),
  })
  .meta({ id: 'VoicemailBoxChange' })

export const BoxAnswer = z
  .object({
    id: z.int(),
    number: z.string(),
    name: z.string(),
    extensions: z.array(z.string()),
    max_messages: z.int(),
    max_seconds: z.int(),
    retention_days: z.int().nullable(),
  })
  .meta({ id: 'VoicemailBox' })

/** The text fields of an upload. */
export const VoicemailFields = z.strictObject({
  box: BoxNumber,
  external_id: text(200).min(1).describe('The PBX’s own id: the same message a second time is one.'),
  caller_id_name: text(256).default(''),
  caller_id_num: text(256).default(''),
  timestamp: z.iso
    .datetime({ offset: true, error: 'timestamp must be a time of RFC 3339' })
    .refine(isStorable, 'timestamp must lie between the years 1 and 9999')
    .optional()
    .describe('When it was left; now if absent.'),
  transcription: text(20_000).default(''),
})

/** PostgreSQL and RFC 3339 know other years than JavaScript. */
function isStorable(value: string): boolean {
  const year = new Date(value).getUTCFullYear()
  return year >= 1 && year <= 9_999
}

export const VoicemailChange = z
  .strictObject({
    transcription: text(20_000).optional(),
    read: z.boolean().optional().describe('Heard on a desk phone, for example.'),
  })
  .refine((change) => Object.keys(change).length > 0, 'at least one field must be provided')
  .meta({ id: 'VoicemailChange' })

export const VoicemailAnswer = z
  .object({
    id: z.int(),
    box: z.string(),
    external_id: z.string(),
    caller_id_name: z.string(),
    caller_id_num: z.string(),
    timestamp: z.string(),
    duration: z.int().describe('Seconds.'),
    read: z.boolean(),
    read_at: z.string().nullable(),
    transcription: z.string(),
    media_type: z.enum(['audio/wav', 'audio/ogg']),
    size_bytes: z.int(),
    sha256: z.string(),
    created_at: z.string(),
  })
  .meta({ id: 'StoredVoicemail' })

export const VoicemailQuery = z.object({
  box: BoxNumber.optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  cursor: z.string().max(200).optional().describe('The next_cursor of an earlier answer.'),
})

export const describeBox = (box: VoicemailBox): z.output<typeof BoxAnswer> => ({
  id: box.id,
  number: box.number,
  name: box.name,
  extensions: box.extensions,
  max_messages: box.maxMessages,
  max_seconds: box.maxSeconds,
  retention_days: box.retentionDays ?? null,
})

export const describeStored = (message: StoredVoicemail): z.output<typeof VoicemailAnswer> => ({
  id: message.id,
  box: message.box,
  external_id: message.externalId,
  caller_id_name: message.callerIdName,
  caller_id_num: message.callerIdNum,
  timestamp: message.recordedAt.toISOString(),
  duration: message.durationSeconds,
  read: message.readAt !== undefined,
  read_at: message.readAt?.toISOString() ?? null,
  transcription: message.transcription,
  media_type: message.mediaType as 'audio/wav' | 'audio/ogg',
  size_bytes: message.sizeBytes,
  sha256: message.sha256,
  created_at: message.createdAt.toISOString(),
})
