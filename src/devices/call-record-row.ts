import type { CallFacts, CallRecord, Direction, Disposition } from './call-record.ts'

export interface CallRecordRow {
  call_id: string
  start_time: Date
  start_told: boolean
  answer_time: Date | null
  end_time: Date | null
  duration_seconds: number | null
  billable_seconds: number | null
  caller_id_name: string
  caller_id_num: string
  callee: string
  trunk_id: number | null
  direction: Direction | null
  disposition: Disposition
  recording_file: string
  flow_path: string
  hangup_cause: string
}

/** As PostgreSQL reads them from JSON. */
export const ROW_TYPES = {
  call_id: 'text',
  start_time: 'timestamptz',
  start_told: 'boolean',
  answer_time: 'timestamptz',
  end_time: 'timestamptz',
  duration_seconds: 'integer',
  billable_seconds: 'integer',
  caller_id_name: 'text',
  caller_id_num: 'text',
  callee: 'text',
  trunk_id: 'bigint',
  direction: 'text',
  disposition: 'text',
  recording_file: 'text',
  flow_path: 'text',
  hangup_cause: 'text',
} as const satisfies Record<keyof CallRecordRow, string>
export const ROW_COLUMNS = Object.keys(ROW_TYPES) as (keyof CallRecordRow)[]

const toDate = (at: number | undefined): Date | null => (at === undefined ? null : new Date(at))

export const toRow = ({ callId, startTime, isStartTold, facts }: CallRecord): CallRecordRow => ({
  call_id: callId,
  start_time: new Date(startTime),
  start_told: isStartTold,
  answer_time: toDate(facts.answerTime),
  end_time: toDate(facts.endTime),
  duration_seconds: facts.duration ?? null,
  billable_seconds: facts.billable ?? null,
  caller_id_name: facts.callerIdName ?? '',
  caller_id_num: facts.callerIdNum ?? '',
  callee: facts.callee ?? '',
  trunk_id: facts.trunkId ?? null,
  direction: facts.direction ?? null,
  disposition: facts.disposition ?? 'in_progress',
  recording_file: facts.recordingFile ?? '',
  flow_path: facts.flowPath ?? '',
  hangup_cause: facts.hangupCause ?? '',
})

export const fromRow = (row: CallRecordRow): CallRecord => ({
  callId: row.call_id,
  startTime: row.start_time.getTime(),
  isStartTold: row.start_told,
  facts: told({
    answerTime: row.answer_time?.getTime(),
    endTime: row.end_time?.getTime(),
    duration: row.duration_seconds,
    billable: row.billable_seconds,
    callerIdName: row.caller_id_name,
    callerIdNum: row.caller_id_num,
    callee: row.callee,
    trunkId: row.trunk_id,
    direction: row.direction,
    disposition: row.disposition,
    recordingFile: row.recording_file,
    flowPath: row.flow_path,
    hangupCause: row.hangup_cause,
  }),
})

/** What says nothing is left out: null, an empty text, a call that is still in progress. */
export const told = (facts: { [Fact in keyof CallFacts]-?: unknown }): CallFacts =>
  Object.fromEntries(
    Object.entries(facts).filter(
      ([, value]) => ![undefined, null, '', 'in_progress'].includes(value as string),
    ),
  )
