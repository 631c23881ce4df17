import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { AppTokenHolder } from '../../http/app-caller.ts'
import { clientAddress } from '../../http/client-address.ts'
import { toProblem } from '../../http/envelope.ts'
import type { Upgrade } from '../../http/server.ts'
import { corkWrites } from '../../lib/cork-writes.ts'
import { toError } from '../../lib/error.ts'
import { Problem } from '../../lib/problem.ts'
import { SECOND } from '../../lib/units.ts'
import { type Authenticate, SECRET_PROTOCOLS } from './authenticate.ts'
import { refuseUpgrade } from './refuse-upgrade.ts'

const PATH = '/ws'
const MAX_FRAME_BYTES = 64 * 1_024
/** A client that does not answer a close is not waited for. */
const CLOSE_MS = 5 * SECOND
/** Seconds after which there may be room again. */
const RETRY_AFTER = 5

export interface SocketServerDeps {
  authenticate: Authenticate
  trustProxyHops: number
  mostPendingPerAddress: number
  /** Throws a Problem when there is no room: for anybody, or for this one. */
  admit(holder?: AppTokenHolder): void
  accept(ws: WebSocket, holder: AppTokenHolder): void
  onError: (error: Error) => void
}

/** Turns requests for `/ws` into sockets of people who have shown who they are. */
export function createSocketServer(deps: SocketServerDeps): Upgrade {
  // Not written where it is used: its types do not know `closeTimeout` yet.
  const options = {
    noServer: true,
    clientTracking: false,
    // Compression would keep 300 kB for each socket, to make small texts a little smaller.
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
    closeTimeout: CLOSE_MS,
    // Browsers want one of those that they have offered; what follows it is the secret.
    handleProtocols: (offered: Set<string>) =>
      SECRET_PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
  }
  const server = new WebSocketServer(options)
  const pending = new Map<string, number>()

  const enter = async (request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> => {
    const [path] = (request.url ?? '').split('?')
    if (path !== PATH) throw new Problem('not_found')
    deps.admit()
    const address = clientAddress(request, deps.trustProxyHops)
    const holder = await oneOfFew(pending, address, deps.mostPendingPerAddress, () =>
      deps.authenticate(request),
    )
    if (stream.destroyed) return
    deps.admit(holder)
    server.handleUpgrade(request, stream, head, (ws) => {
      corkWrites(stream)
      deps.accept(ws, holder)
    })
  }

  return (request, stream, head) => {
    // Node listens to it no more, and a client may go away at any moment.
    const onError = () => stream.destroy()
    stream.on('error', onError)
    enter(request, stream, head).catch((thrown: unknown) => {
      const problem = toProblem(thrown)
      if (problem.code === 'internal') deps.onError(toError(thrown))
      refuseUpgrade(stream, problem)
    })
  }
}

/** Before somebody has shown who he is, his address is all that is known of him. */
async function oneOfFew<T>(
  pending: Map<string, number>,
  address: string,
  most: number,
  work: () => Promise<T>,
): Promise<T> {
  const before = pending.get(address) ?? 0
  if (before >= most) throw new Problem('rate_limited', { retryAfter: RETRY_AFTER })
  pending.set(address, before + 1)
  try {
    return await work()
  } finally {
    const left = (pending.get(address) ?? 1) - 1
    if (left > 0) pending.set(address, left)
    else pending.delete(address)
  }
}
