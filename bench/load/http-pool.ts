import { type HttpAnswer, type HttpConnection, openConnection } from './http-connection.ts'

/** Connections to one port; a request takes a free one, or a new one if there is none. */
export async function openPool(port: number, size: number) {
  const free: HttpConnection[] = []
  const all: HttpConnection[] = []
  const open = async () => {
    const connection = await openConnection(port)
    all.push(connection)
    return connection
  }
  /** The one that has rested longest: a server may end a connection that has never been used. */
  const take = () => {
    let connection = free.shift()
    while (connection && !connection.isOpen) connection = free.shift()
    return connection
  }
  // Not all at once: the queue of a listening socket holds 511.
  while (all.length < size) {
    const some = Math.min(200, size - all.length)
    free.push(...(await Promise.all(Array.from({ length: some }, open))))
  }
  return {
    async send(request: string): Promise<HttpAnswer> {
      const connection = take() ?? (await open())
      const answer = await connection.send(request)
      free.push(connection)
      return answer
    },
    get size() {
      return all.length
    },
    close() {
      for (const connection of all) connection.close()
    },
  }
}
