import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { ApnsVerdict } from './apns-protocol.ts'
import type { FcmVerdict } from './fcm-protocol.ts'
import type { AcceptedPush } from './push-listeners.ts'
import type { SimulatedPhone } from './simulated-phone.ts'

/** A phone as `GET /phones/{token}` shows it; times are RFC 3339. */
export const describePhone = ({ platform, rang, registrations, errors, duplicates }: SimulatedPhone) => ({
  platform,
  rang: rang.map(({ callUuid, at, callerId }) => ({
    call_uuid: callUuid,
    at: rfc3339(at),
    caller_id: callerId,
  })),
  duplicates,
  registrations: registrations.map(({ callUuid, at, status }) => ({
    call_uuid: callUuid,
    at: rfc3339(at),
    status,
  })),
  errors: errors.map(({ at, message }) => ({ at: rfc3339(at), message })),
})

/** A request as `GET /received` shows it: its token as a hash, by which only who knows the token finds it. */
export const describeReceived = (
  index: number,
  push: AcceptedPush & {
    verdict: ApnsVerdict | FcmVerdict
    mismatch?: string
    headers: IncomingHttpHeaders
  },
) => ({
  index,
  at: rfc3339(push.at),
  token_sha256: createHash('sha256').update(push.token).digest('hex'),
  ...(push.topic !== undefined && { topic: push.topic }),
  ...appleHeaders(push.headers),
  payload: push.payload,
  status: push.verdict.status,
  ...reasonOf(push.verdict),
  ...(push.mismatch !== undefined && { mismatch: push.mismatch }),
})

function reasonOf(verdict: ApnsVerdict | FcmVerdict): { reason?: string } {
  const reason = 'reason' in verdict ? verdict.reason : 'errorCode' in verdict ? verdict.errorCode : undefined
  return reason === undefined ? {} : { reason }
}

/** What Apple is told besides the payload. */
function appleHeaders(headers: IncomingHttpHeaders): { headers?: Record<string, unknown> } {
  const own = Object.entries(headers).filter(([name]) => name.startsWith('apns-'))
  return own.length === 0 ? {} : { headers: Object.fromEntries(own) }
}

const rfc3339 = (at: number): string => new Date(at).toISOString()
