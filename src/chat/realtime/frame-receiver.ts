import { toProblem } from '../../http/envelope.ts'
import type { Clock } from '../../lib/clock.ts'
import { toError } from '../../lib/error.ts'
import { orStoreAway } from '../../lib/store-away.ts'
import { SECOND } from '../../lib/units.ts'
import type { Metrics } from '../../observability/metrics.ts'
import { type ClientFrame, readClientFrame } from './client-frames.ts'
import { CLOSE } from './close-codes.ts'
import { BURST, type Connection, FRAMES_PER_SECOND } from './connection.ts'
import type { FrameHandlers } from './frame-handlers.ts'
import type { SocketWriter } from './socket-writer.ts'

/** A client that says so much nonsense says nothing else. */
const MOST_BROKEN = 10
/** What a client may ask for before it has its answers; more than the rate lets through while the database is well. */
const MOST_IN_HAND = 200
/** These have an answer also where the client has not given them an id. */
const ALWAYS_ANSWERED: ReadonlySet<string> = new Set([
  'hello',
  'message.send',
  'presence.subscribe',
  'auth',
  'ping',
])

export interface FrameReceiverDeps {
  handlers: FrameHandlers
  writer: SocketWriter
  clock: Clock
  metrics: Pick<Metrics, 'framesReceived'>
  onError: (error: Error) => void
}

type Known = Extract<ClientFrame, { type: string }>

/** Takes what clients say: each in its order, none faster than a person could, and nonsense only so often. */
export function createFrameReceiver({ handlers, writer, clock, metrics, onError }: FrameReceiverDeps) {
  const refuse = (connection: Connection, id: Known['id'], payload: object): void =>
    writer.say(connection, 'error', payload, id !== undefined ? { id } : {})

  const act = (connection: Connection, { type, fields }: Known): Promise<object | undefined> => {
    // One type parameter for both would have to be told to the compiler over and over.
    const handle = handlers[type] as (connection: Connection, fields: object) => Promise<object | undefined>
    return orStoreAway(handle(connection, fields))
  }

  const answer = async (connection: Connection, said: Known): Promise<void> => {
    const { id, type } = said
    try {
      const payload = await act(connection, said)
      if (id === undefined && !ALWAYS_ANSWERED.has(type)) return
      writer.say(connection, 'ok', payload ?? {}, id !== undefined ? { id } : {})
    } catch (thrown) {
      const { code, message, status, details, cause } = toProblem(thrown)
      if (status >= 500) onError(toError(cause ?? thrown))
      const { retryAfter } = details
      refuse(connection, id, {
        ...{ code, error: message, ...(retryAfter !== undefined && { retryAfter }) },
        // Of several messages under way, the client has to know which one it is.
        ...(type === 'message.send' && { clientId: said.fields.clientId }),
      })
    } finally {
      connection.inHand -= 1
    }
  }

  const refuseBroken = (connection: Connection, { id, code, error }: Exclude<ClientFrame, Known>): void => {
    refuse(connection, id, { code, error })
    connection.brokenFrames += 1
    if (connection.brokenFrames >= MOST_BROKEN) {
      writer.close(connection, CLOSE.brokenRules, 'too many broken frames')
    }
  }

  const take = (connection: Connection, said: Known): void => {
    connection.inHand += 1
    // Acknowledgements of a socket are gathered while one is under way, so they do not wait for their turn.
    if (connection.inHand > MOST_IN_HAND) writer.close(connection, CLOSE.tryAgain, 'busy')
    else if (said.type === 'ack') void answer(connection, said)
    else connection.turn = connection.turn.then(() => answer(connection, said))
  }

  /** @param data undefined when it was no text */
  return function receive(connection: Connection, data: string | undefined): void {
    if (!connection.isOpen) return
    if (!spend(connection, clock.monotonic())) {
      refuse(connection, undefined, { code: 'rate_limited', error: 'rate limit exceeded' })
      writer.close(connection, CLOSE.brokenRules, 'too many frames')
      return
    }
    const said = readClientFrame(data ?? '')
    metrics.framesReceived.inc({ type: said.type ?? 'broken' })
    if (said.type === undefined) refuseBroken(connection, said)
    else take(connection, said)
  }
}

/** Whether it may send one more. */
function spend(connection: Connection, now: number): boolean {
  const gained = ((now - connection.countedAt) / SECOND) * FRAMES_PER_SECOND
  connection.allowance = Math.min(BURST, connection.allowance + gained)
  connection.countedAt = now
  if (connection.allowance < 1) return false
  connection.allowance -= 1
  return true
}
