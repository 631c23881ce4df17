import { randomInt } from 'node:crypto'
import { within } from '../../lib/deadline.ts'
import { SECOND } from '../../lib/units.ts'
import { CLOSE } from './close-codes.ts'
import type { ConnectionLife } from './connection-life.ts'
import type { Hub } from './hub.ts'
import type { SocketWriter } from './socket-writer.ts'

/** A client that has not left by then is cut off: the requests in hand are waited for, not sockets. */
const PATIENCE_MS = SECOND
/** Those of one node come back over so long that the others take them in as they come. */
const FIRST_MS = 500
const EACH_MS = 2
const SPREAD_MS = { least: SECOND, most: 30 * SECOND }

/** Sends everybody away, each to come back at a moment of its own. */
export async function sayGoodbye({
  hub,
  writer,
  life,
}: {
  hub: Hub
  writer: SocketWriter
  life: ConnectionLife
}): Promise<void> {
  const everybody = [...hub.all()]
  const spread = Math.min(SPREAD_MS.most, Math.max(SPREAD_MS.least, everybody.length * EACH_MS))
  for (const connection of everybody) {
    writer.say(connection, 'reconnect', { afterMs: FIRST_MS + randomInt(spread) })
    writer.close(connection, CLOSE.serverStops, 'the server stops')
  }
  await within(PATIENCE_MS, 'closing sockets', life.emptied()).catch(() => {
    for (const { ws } of hub.all()) ws.terminate()
  })
}
