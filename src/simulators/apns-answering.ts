import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2'
import { Readable } from 'node:stream'
import type { ApnsAnswer, ApnsVerdict } from './apns-protocol.ts'

type Answered = Extract<ApnsAnswer, { status: number }>

/** Bytes. */
const PIECE = 16_384

/** How an answer is written down; one that never reaches the sender has status 0. */
export function verdictOf(answer: ApnsAnswer): ApnsVerdict {
  if ('silent' in answer) return { status: 0, reason: 'silent' }
  if ('reset' in answer) return { status: 0, reason: 'reset' }
  if ('breaks' in answer) return { status: 0, reason: 'breaks' }
  if ('goaway' in answer) return { status: 0, reason: answer.includesThis ? 'goaway' : 'goaway_before' }
  return { status: answer.status, ...(answer.reason !== undefined && { reason: answer.reason }) }
}

/** Whether the phone gets the push. */
export const reachesPhone = (answer: ApnsAnswer): boolean =>
  'silent' in answer || ('status' in answer && answer.status === 200)

/** Puts an answer on the wire. A delay is the caller's business. */
export function giveAnswer(stream: ServerHttp2Stream, answer: ApnsAnswer, apnsId: string): void {
  if (stream.destroyed || 'silent' in answer) return
  if ('reset' in answer) stream.close(answer.code ?? constants.NGHTTP2_INTERNAL_ERROR)
  else if ('goaway' in answer) goAway(stream, answer)
  else if ('breaks' in answer) stream.session?.destroy()
  else respond(stream, answer, apnsId)
}

function respond(stream: ServerHttp2Stream, answer: Answered, apnsId: string): void {
  const { status, reason, timestamp, headers } = answer
  const body = answer.body ?? (status === 200 ? '' : JSON.stringify({ reason, timestamp }))
  stream.respond({ ':status': status, 'apns-id': apnsId, ...headers }, { endStream: body === '' })
  if (body !== '') Readable.from(piecesOf(Buffer.from(body))).pipe(stream)
}

/** What node:http2 has queued when a sender breaks off counts against the memory of the connection for ever. */
function* piecesOf(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += PIECE) yield body.subarray(at, at + PIECE)
}

/** The highest stream of each connection that counts as processed, and whether that is the last word. */
const processed = new WeakMap<Http2Session, { highest: number; isOver: boolean }>()

/** False for what came after a GOAWAY: the sender knows by it that it was not processed. */
export function isTaken({ session, id = 0 }: ServerHttp2Stream): boolean {
  if (!session) return false
  const state = processed.get(session) ?? { highest: 0, isOver: false }
  processed.set(session, state)
  if (state.isOver && id > state.highest) return false
  state.highest = Math.max(state.highest, id)
  return true
}

function goAway(stream: ServerHttp2Stream, { includesThis, reason }: Extract<ApnsAnswer, { goaway: true }>) {
  const { session, id } = stream
  if (!session || session.destroyed || id === undefined) return
  const debug = reason === undefined ? undefined : Buffer.from(JSON.stringify({ reason }))
  // Client streams have odd ids, so the one before is two less. For the first stream of a connection there is none, and Node
  // sends its own id in place of 0: the refusal of the stream then says alone that it was not processed.
  // The sender ends the connection when its other streams are answered. Ended from here, Node would send a second GOAWAY with a
  // higher last stream id, which HTTP/2 forbids (RFC 9113 section 6.8).
  // What came after this one may have been processed meanwhile.
  const highest = Math.max(id, processed.get(session)?.highest ?? 0)
  const last = includesThis || highest > id ? highest : id - 2
  processed.set(session, { highest: last, isOver: true })
  session.goaway(constants.NGHTTP2_NO_ERROR, last, debug)
  if (!includesThis) stream.close(constants.NGHTTP2_REFUSED_STREAM)
}
