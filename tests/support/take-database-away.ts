import type { TestGateway } from './gateway.ts'

/** No query of the gateway finds a connection, until this is disposed of. */
export function takeDatabaseAway({ context }: Pick<TestGateway, 'context'>): Disposable {
  const { client } = context.db
  const { acquireConnection } = client
  client.acquireConnection = () => Promise.reject(new Error('the database is away'))
  return {
    [Symbol.dispose]() {
      client.acquireConnection = acquireConnection
    },
  }
}
