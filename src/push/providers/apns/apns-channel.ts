import { SECOND } from '../../../lib/units.ts'
import { ended, isOver } from './apns-failures.ts'
import type { ApnsReply, ApnsRequest } from './apns-reply.ts'
import { type ApnsGateway, type ApnsSending, type ApnsSession, createApnsSession } from './apns-session.ts'

export interface ApnsChannelOptions {
  /** For one answer, ms; after as long without one the connection is replaced. Default 2,000. */
  requestTimeoutMs?: number
  /** Between two pings of the connection, ms. Default 15,000. */
  pingEveryMs?: number
}

/** The pushes of one app to one of Apple's gateways. */
export interface ApnsChannel {
  /** Begins to open the connection. Never rejects. */
  warmUp(): Promise<void>
  /** Never rejects. @param signal Ends the wait. */
  send(request: ApnsRequest, signal: AbortSignal): Promise<ApnsReply>
  /** Waits for the answers on their way, no longer than their time-out. */
  close(): Promise<void>
}

interface Line {
  session: ApnsSession
  isRetired: boolean
  isClosing: boolean
  closed: PromiseWithResolvers<void>
}

/**
 * Keeps one session, and replaces it as soon as one request stays unanswered: a half-open connection swallows all that is written
 * to it, so the next call must not wait there as well; or as soon as Apple says that it is over.
 */
export function createApnsChannel(
  gateway: Omit<ApnsGateway, 'requestTimeoutMs' | 'pingEveryMs'>,
  { requestTimeoutMs = 2 * SECOND, pingEveryMs = 15 * SECOND }: ApnsChannelOptions,
): ApnsChannel {
  const settings = { ...gateway, requestTimeoutMs, pingEveryMs }
  const lines = new Set<Line>()
  let isClosed = false
  let current = open()

  function open(): Line {
    const session = createApnsSession(settings, () => retire(line))
    const line: Line = { session, isRetired: false, isClosing: false, closed: Promise.withResolvers() }
    lines.add(line)
    return line
  }

  function retire(line: Line): void {
    if (line.isRetired) return
    line.isRetired = true
    if (line === current && !isClosed) current = open()
    void closeWhenIdle(line)
  }

  /** Others may still be answered on a retired line, or run into their own time-out. */
  async function closeWhenIdle(line: Line): Promise<void> {
    if (!line.isRetired || line.isClosing || line.session.inFlight > 0) return
    line.isClosing = true
    await line.session.close()
    lines.delete(line)
    line.closed.resolve()
  }

  async function watch(line: Line, work: Promise<ApnsReply>): Promise<void> {
    if (isOver(await work)) retire(line)
    if (line.isRetired) void closeWhenIdle(line)
  }

  return {
    warmUp: () => current.session.open(),

    async send(request, signal) {
      if (isClosed) return ended('shutting_down')
      if (signal.aborted) return ended('not_sent_in_time')
      const line = current
      const sending = line.session.send(request)
      void watch(line, sending.reply)
      return untilAborted(sending, signal)
    },

    async close() {
      isClosed = true
      retire(current)
      await Promise.all([...lines].map((line) => line.closed.promise))
    },
  }
}

/** The work goes on after the signal: how it ends still tells whether the connection is alive. */
async function untilAborted({ reply, giveUp }: ApnsSending, signal: AbortSignal): Promise<ApnsReply> {
  const { promise, resolve } = Promise.withResolvers<ApnsReply>()
  const onAbort = () => resolve(giveUp())
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([reply, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
