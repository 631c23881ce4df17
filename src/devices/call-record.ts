export const DIRECTIONS = ['inbound', 'outbound', 'internal'] as const
export const DISPOSITIONS = ['answered', 'no_answer', 'cancelled', 'busy', 'failed', 'in_progress'] as const
export type Direction = (typeof DIRECTIONS)[number]
export type Disposition = (typeof DISPOSITIONS)[number]

/** What a PBX may know of a call; absent is what it has not told. Times are milliseconds since the epoch. */
export interface CallFacts {
  answerTime?: number
  endTime?: number
  /** Seconds. */
  duration?: number
  /** Seconds that cost money. */
  billable?: number
  callerIdName?: string
  callerIdNum?: string
  callee?: string
  trunkId?: number
  direction?: Direction
  /** Absent while the call is in progress. */
  disposition?: Exclude<Disposition, 'in_progress'>
  recordingFile?: string
  flowPath?: string
  hangupCause?: string
}

/** One report about a call. */
export interface CallUpdate {
  callId: string
  startTime?: number
  facts: CallFacts
}

export interface CallRecord {
  callId: string
  startTime: number
  /** False: nobody has told it, and it is the earliest moment that we know of. */
  isStartTold: boolean
  facts: CallFacts
}

/** Answered calls go on; these do not. */
const ENDS: readonly (Disposition | undefined)[] = ['no_answer', 'cancelled', 'busy', 'failed']
const tellsTheEnd = ({ endTime, disposition }: CallFacts): boolean =>
  endTime !== undefined || ENDS.includes(disposition)

/**
 * The record after one more update. What is given replaces what was there, with one exception: when the call has ended, an update
 * that does not tell of the end is late, and only adds what is missing. So updates may come in any order: as long as those from
 * before the end do not contradict each other, nor those that tell the end, the record is the same.
 */
export function mergeCallRecord(record: CallRecord | undefined, update: CallUpdate, now: number): CallRecord {
  const { callId, startTime } = update
  if (!record) {
    const { facts } = update
    return {
      callId,
      startTime: startTime ?? earliest(now, facts),
      isStartTold: startTime !== undefined,
      facts,
    }
  }
  const isLate = tellsTheEnd(record.facts) && !tellsTheEnd(update.facts)
  const facts = isLate ? { ...update.facts, ...record.facts } : { ...record.facts, ...update.facts }
  if (startTime !== undefined && !(isLate && record.isStartTold)) {
    return { callId, startTime, isStartTold: true, facts }
  }
  const known = record.isStartTold ? record.startTime : earliest(record.startTime, facts)
  return { callId, startTime: known, isStartTold: record.isStartTold, facts }
}

const earliest = (at: number, { answerTime = at, endTime = at }: CallFacts): number =>
  Math.min(at, answerTime, endTime)

/** In whose history the call is. */
export const partiesOf = ({ facts: { callerIdNum, callee } }: CallRecord): string[] => [
  ...new Set([callerIdNum, callee].filter((party) => party !== undefined)),
]
