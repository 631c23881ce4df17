import { once } from 'node:events'
import { connect } from 'node:net'

export interface HttpAnswer {
  status: number
  body: string
}

/** One keep-alive connection, one request at a time. */
export interface HttpConnection {
  readonly isOpen: boolean
  /** Writes the request in this very turn. */
  send(request: string): Promise<HttpAnswer>
  close(): void
}

/**
 * HTTP/1.1 by hand: node:http takes several times the processor time per request, which on a small machine would be taken from
 * those that are measured.
 */
export async function openConnection(port: number): Promise<HttpConnection> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true).setEncoding('utf8')
  await once(socket, 'connect')
  let text = ''
  let waiting: PromiseWithResolvers<HttpAnswer> | undefined
  const fail = (error: Error) => {
    waiting?.reject(error)
    waiting = undefined
  }
  socket.on('data', (chunk: string) => {
    text += chunk
    const answer = parseAnswer(text)
    if (!answer) return
    text = ''
    waiting?.resolve(answer)
    waiting = undefined
  })
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the connection was closed')))
  return {
    get isOpen() {
      return !socket.destroyed && socket.readable
    },
    send(request) {
      waiting = Promise.withResolvers()
      const { promise } = waiting
      socket.write(request)
      return promise
    },
    close: () => socket.destroy(),
  }
}

/** Undefined while there is more to come. Our API always gives a length. */
function parseAnswer(text: string): HttpAnswer | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1])
  const body = text.slice(end + 4)
  if (Buffer.byteLength(body) < length) return undefined
  return { status: Number(text.slice(9, 12)), body }
}
