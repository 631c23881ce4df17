import { z } from 'zod'
import type { HistoryPage } from '../devices/call-history-store.ts'
import { DIRECTIONS, DISPOSITIONS } from '../devices/call-record.ts'
import { rfc3339 } from '../lib/rfc3339.ts'

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 100

/** An empty one counts as absent, one beyond the limit as the limit. */
const wholeNumber = (sentence: string, lowest: number, absent: number) =>
  z
    .string(sentence)
    .regex(/^\d*$/, sentence)
    .transform((value) => (value === '' ? absent : Number(value)))
    .refine((value) => Number.isSafeInteger(value) && value >= lowest, sentence)
    .default(absent)

export const HistoryQuery = z.object({
  limit: wholeNumber('limit must be a positive integer', 1, DEFAULT_LIMIT)
    .transform((limit) => Math.min(limit, MAX_LIMIT))
    .describe(`At most ${MAX_LIMIT}; more counts as ${MAX_LIMIT}.`),
  offset: wholeNumber('offset must be a non-negative integer', 0, 0).describe(
    'How many of the newest calls to leave out.',
  ),
  cursor: z
    .string('cursor must be the next_cursor of an earlier answer')
    .max(200, 'cursor must be the next_cursor of an earlier answer')
    .optional()
    .describe('`next_cursor` of the page before. Calls that came since then do not shift the page.'),
  since: z.iso
    .datetime({ offset: true, error: 'since must be a time like 2026-11-21T10:00:00Z (RFC 3339)' })
    .transform((value) => Date.parse(value))
    .refine((at) => at >= 0, 'since must not be before 1970')
    .optional()
    .describe('Only calls that began at this moment or later.'),
})

const Cdr = z
  .object({
    id: z.int(),
    call_id: z.string(),
    start_time: z.string(),
    answer_time: z.string().nullable(),
    end_time: z.string().nullable(),
    duration: z.int().nullable().describe('Seconds.'),
    billable_dur: z.int().nullable().describe('Seconds.'),
    caller_id_name: z.string(),
    caller_id_num: z.string(),
    callee: z.string(),
    trunk_id: z.int().nullable(),
    direction: z.enum(DIRECTIONS).nullable(),
    disposition: z.enum(DISPOSITIONS),
    recording_file: z.string().optional(),
    flow_path: z.string().optional(),
    hangup_cause: z.string(),
  })
  .meta({ id: 'Cdr' })

export const HistoryAnswer = z.object({
  items: z.array(Cdr),
  total: z.int().describe('All calls, on whatever page; with `since` those from then on.'),
  limit: z.int(),
  offset: z.int(),
  next_cursor: z.string().optional().describe('For the next page, if there is one.'),
})

const timeOf = (at: number): string => rfc3339(new Date(at))
const timeOrNull = (at: number | undefined) => (at === undefined ? null : timeOf(at))

export const describeCall = ({
  id,
  callId,
  startTime,
  facts,
}: HistoryPage['calls'][number]): z.output<typeof Cdr> => ({
  id,
  call_id: callId,
  start_time: timeOf(startTime),
  answer_time: timeOrNull(facts.answerTime),
  end_time: timeOrNull(facts.endTime),
  duration: facts.duration ?? null,
  billable_dur: facts.billable ?? null,
  caller_id_name: facts.callerIdName ?? '',
  caller_id_num: facts.callerIdNum ?? '',
  callee: facts.callee ?? '',
  trunk_id: facts.trunkId ?? null,
  direction: facts.direction ?? null,
  disposition: facts.disposition ?? 'in_progress',
  ...(facts.recordingFile !== undefined && { recording_file: facts.recordingFile }),
  ...(facts.flowPath !== undefined && { flow_path: facts.flowPath }),
  hangup_cause: facts.hangupCause ?? '',
})
