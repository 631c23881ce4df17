/** The telling of one event to one webhook, as its owner may see it. Times are milliseconds since the epoch. */
export interface DeliveryRecord {
  eventId: string
  type: string
  state: 'pending' | 'delivered' | 'given_up'
  attempts: number
  createdAt: number
  nextAttemptAt?: number
  deliveredAt?: number
  givenUpAt?: number
  /** The HTTP status of the last answer. */
  lastStatus?: number
  /** Why there was no answer: a stable word. */
  lastError?: string
}

export interface DeliveryRow {
  event_id: string
  type: string
  attempts: number
  created_at: Date
  next_attempt_at: Date | null
  delivered_at: Date | null
  given_up_at: Date | null
  last_status: number | null
  last_error: string | null
}

export const DELIVERY_COLUMNS = [
  'event_id',
  'type',
  'attempts',
  'created_at',
  'next_attempt_at',
  'delivered_at',
  'given_up_at',
  'last_status',
  'last_error',
] as const

export const fromDeliveryRow = (row: DeliveryRow): DeliveryRecord => ({
  eventId: row.event_id,
  type: row.type,
  state: row.delivered_at ? 'delivered' : row.given_up_at ? 'given_up' : 'pending',
  attempts: row.attempts,
  createdAt: row.created_at.getTime(),
  ...(row.next_attempt_at && { nextAttemptAt: row.next_attempt_at.getTime() }),
  ...(row.delivered_at && { deliveredAt: row.delivered_at.getTime() }),
  ...(row.given_up_at && { givenUpAt: row.given_up_at.getTime() }),
  ...(row.last_status !== null && { lastStatus: row.last_status }),
  ...(row.last_error !== null && { lastError: row.last_error }),
})
