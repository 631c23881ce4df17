import { z } from 'zod'
import { type CallUpdate, DIRECTIONS, DISPOSITIONS } from '../devices/call-record.ts'
import { told } from '../devices/call-record-row.ts'
import { oneOrMany, Refusal } from './judged-items.ts'
import { text } from './pbx-schemas.ts'

export const MAX_RECORDS = 500

/** PostgreSQL's integer. */
const Seconds = z.int().min(0).max(2_147_483_647)
const Time = z.iso
  .datetime({ offset: true, error: 'must be a time like 2026-11-21T10:00:00Z (RFC 3339)' })
  .transform((value) => Date.parse(value))
  .refine((at) => at >= 0, 'must not be before 1970')

/** Null and an empty text say nothing: what is stored stays. */
export const CallRecordBody = z
  .strictObject({
    call_id: text(256).min(1).describe('SIP Call-ID; the same one is the same call.'),
    start_time: Time.nullish(),
    answer_time: Time.nullish(),
    end_time: Time.nullish().describe('The call is over; what comes late only adds what is missing.'),
    duration: Seconds.nullish().describe('Seconds.'),
    billable_dur: Seconds.nullish().describe('Seconds.'),
    caller_id_name: text(256).nullish(),
    caller_id_num: text(64).nullish(),
    callee: text(64).nullish(),
    trunk_id: z.int().min(0).nullish(),
    direction: z.enum(DIRECTIONS).nullish(),
    disposition: z.enum(DISPOSITIONS).nullish(),
    recording_file: text(1_024).nullish(),
    flow_path: text(1_024).nullish(),
    hangup_cause: text(256).nullish(),
  })
  .meta({ id: 'CallRecord' })

export const CallRecordsBody = oneOrMany(MAX_RECORDS, 'a call record')

export const CallRecordsAnswer = z
  .object({
    results: z
      .array(
        z.object({
          call_id: z.string().optional(),
          status: z.enum(['created', 'updated', 'unchanged', 'refused']),
          ...Refusal,
        }),
      )
      .describe('In the order of the request.'),
  })
  .meta({ id: 'CallRecordsAnswer' })

export const toUpdate = (body: z.output<typeof CallRecordBody>): CallUpdate => ({
  callId: body.call_id,
  ...(typeof body.start_time === 'number' && { startTime: body.start_time }),
  facts: told({
    answerTime: body.answer_time,
    endTime: body.end_time,
    duration: body.duration,
    billable: body.billable_dur,
    callerIdName: body.caller_id_name,
    callerIdNum: body.caller_id_num,
    callee: body.callee,
    trunkId: body.trunk_id,
    direction: body.direction,
    disposition: body.disposition,
    recordingFile: body.recording_file,
    flowPath: body.flow_path,
    hangupCause: body.hangup_cause,
  }),
})
