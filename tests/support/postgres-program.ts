import { openDataDirectory } from '../../src/embedded/data-directory.ts'
import { startPostgresServer } from '../../src/embedded/postgres-server.ts'

/** Run by tests as a process of its own: starts PostgreSQL in the given directory and stops it on SIGTERM. */
await using directory = await openDataDirectory(process.argv[2] ?? '')
await using server = await startPostgresServer({ directory, durability: 'safe' })

const stopped = Promise.withResolvers<void>()
// A listener for a signal does not keep a process alive, the running server does.
process.once('SIGTERM', stopped.resolve)
console.log(JSON.stringify({ url: server.url, adminUrl: server.adminUrl, pid: server.pid }))
await stopped.promise
