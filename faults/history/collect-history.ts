import type { Simulators } from '../../src/simulators/simulators.ts'
import { query } from '../../tests/support/databases.ts'
import type { LoggedPush, LoggedTry, Receipt } from './history.ts'

/** What the database says of pushes: rows, promises, and tries that were not accepted. */
export async function readDatabase(
  url: string,
): Promise<{ rows: LoggedPush[]; pending: string[]; tries: LoggedTry[] }> {
  const [rows, pending, tries] = await Promise.all([
    query(
      url,
      'SELECT id, call_id, state, token_state, reason, expires_at, closed_at FROM push_logs ORDER BY accepted_at',
    ),
    query(url, 'SELECT id FROM pending_pushes'),
    query(url, 'SELECT push_id, provider_status FROM push_attempts WHERE provider_status IS NOT NULL'),
  ])
  return {
    rows: rows.map(toLoggedPush),
    pending: pending.map(({ id }) => String(id)),
    tries: tries.map((row) => ({ pushId: String(row.push_id), status: Number(row.provider_status) })),
  }
}

const toLoggedPush = (row: Record<string, unknown>): LoggedPush => ({
  id: String(row.id),
  state: String(row.state),
  tokenState: String(row.token_state),
  expiresAt: timeOf(row.expires_at),
  ...(row.call_id !== null && { callId: String(row.call_id) }),
  ...(row.reason !== null && { reason: String(row.reason) }),
  ...(row.closed_at !== null && { closedAt: timeOf(row.closed_at) }),
})

const timeOf = (value: unknown): number => (value as Date).getTime()

/** Every request that reached a vendor, in the order of their arrival. */
export function readReceipts({ apns, apnsSandbox, fcm }: Simulators): Receipt[] {
  const apple = [...apns.received, ...apnsSandbox.received].map(
    ({ at, headers: { 'apns-id': id }, payload, verdict }): Receipt => ({
      at,
      provider: 'apns',
      subject: subjectOf(payload),
      status: verdict.status,
      ...(typeof id === 'string' && { pushId: id }),
      ...(verdict.reason !== undefined && { reason: verdict.reason }),
    }),
  )
  const google = fcm.received.map(({ at, payload, verdict }): Receipt => {
    const { push_id: pushId } = payload
    return {
      at,
      provider: 'fcm',
      subject: subjectOf(payload),
      status: verdict.status,
      ...(typeof pushId === 'string' && { pushId }),
      ...(verdict.errorCode !== undefined && { reason: verdict.errorCode }),
    }
  })
  return [...apple, ...google].sort((a, b) => a.at - b.at)
}

const subjectOf = ({ sip_call_id, message_id }: Readonly<Record<string, unknown>>): string =>
  String(sip_call_id ?? message_id ?? '')
