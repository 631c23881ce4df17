import type { Push } from '../../push.ts'
import type { ApnsRequest } from './apns-reply.ts'

/** Bytes of a VoIP payload: https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification */
export const MAX_VOIP_PAYLOAD = 5_120
const NAME_FIELD = ',"caller_name":""'.length

/** The key order is the one the phones have always got. */
interface CallPayload {
  type: 'incoming_call'
  caller_id: string
  caller_name?: string | undefined
  call_id: string
  sip_call_id: string
  expires_at: string
}

/**
 * The VoIP request of a call. `undefined` when its ids alone exceed Apple's limit: only what people read is ever cut.
 * @param bundleId Apple wants VoIP pushes at the topic `<bundleId>.voip`.
 */
export function createApnsRequest(push: Push, bundleId: string): ApnsRequest | undefined {
  const body = createBody(push)
  if (body === undefined) return undefined
  return {
    token: push.token,
    id: push.id,
    topic: `${bundleId}.voip`,
    pushType: 'voip',
    priority: 10,
    // A fraction is an error at Apple; rounding up would let a call ring after its end.
    expiration: Math.floor(push.expiresAt / 1_000),
    body,
  }
}

function createBody({ content, expiresAt }: Push): string | undefined {
  const payload: CallPayload = {
    type: 'incoming_call',
    caller_id: content.callerId,
    caller_name: content.callerName,
    call_id: content.callUuid,
    sip_call_id: content.callId,
    expires_at: new Date(expiresAt).toISOString(),
  }
  const body = JSON.stringify(payload)
  return Buffer.byteLength(body) <= MAX_VOIP_PAYLOAD ? body : createTrimmedBody(payload)
}

/** The number comes first, because the app can look a name up but not a number. */
function createTrimmedBody(payload: CallPayload): string | undefined {
  const bare = JSON.stringify({ ...payload, caller_id: '', caller_name: undefined })
  const room = MAX_VOIP_PAYLOAD - Buffer.byteLength(bare)
  const callerId = cutToFit(payload.caller_id, room)
  if (room < 0 || (callerId === '' && payload.caller_id !== '')) return undefined

  const nameRoom = room - sizeInJson(callerId) - NAME_FIELD
  const callerName = cutToFit(payload.caller_name ?? '', nameRoom)
  return JSON.stringify({ ...payload, caller_id: callerId, caller_name: callerName || undefined })
}

/** The longest beginning that takes at most `room` bytes in JSON; never half a character. */
function cutToFit(text: string, room: number): string {
  let used = 0
  for (const { segment, index } of new Intl.Segmenter().segment(text)) {
    used += sizeInJson(segment)
    if (used > room) return text.slice(0, index)
  }
  return text
}

/** Bytes without the quotes: escapes count as what they become. */
const sizeInJson = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2
