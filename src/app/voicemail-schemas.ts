import { z } from 'zod'
import { rfc3339 } from '../lib/rfc3339.ts'
import type { Voicemail } from './voicemail-store.ts'

export const VoicemailId = z.object({
  id: z
    .string()
    .regex(/^\d{1,15}$/, 'invalid voicemail message id')
    .transform(Number),
})

export const VoicemailListQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .optional()
    .describe('All messages if absent. With it, the place of the next ones is in `X-Next-Cursor`.'),
  cursor: z.string().max(200).optional().describe('The `X-Next-Cursor` of an earlier answer.'),
})

/** The keys of FlowPBX's app; `transcription` is absent when there is none. */
export const VoicemailEntry = z
  .object({
    id: z.int(),
    mailbox_id: z.int(),
    caller_id_name: z.string(),
    caller_id_num: z.string(),
    timestamp: z.string(),
    duration: z.int().describe('Seconds.'),
    read: z.boolean(),
    read_at: z.string().nullable(),
    transcription: z.string().optional(),
    created_at: z.string(),
  })
  .meta({ id: 'Voicemail' })

export const describeVoicemail = (message: Voicemail): z.output<typeof VoicemailEntry> => ({
  id: message.id,
  mailbox_id: message.boxId,
  caller_id_name: message.callerIdName,
  caller_id_num: message.callerIdNum,
  timestamp: rfc3339(message.recordedAt),
  duration: message.durationSeconds,
  read: message.readAt !== undefined,
  read_at: message.readAt ? rfc3339(message.readAt) : null,
  ...(message.transcription && { transcription: message.transcription }),
  created_at: rfc3339(message.createdAt),
})
