import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort, type RedisServer, startRedisServer } from '../../tests/support/redis-server.ts'
import { temporaryDirectory } from '../../tests/support/temporary-directory.ts'

/** A Redis as in production: what it has on disk survives its death. */
export interface DurableRedis extends AsyncDisposable {
  readonly url: string
  start(): Promise<void>
  /** Gone without a word, as on a host that lost its power. */
  kill(): Promise<void>
  /** Connections stay open and nothing answers, as on a host that hangs. */
  freeze(): void
  thaw(): void
  /** While it is down: nothing is left of what it had on disk. */
  forget(): Promise<void>
  /** One command over a connection of its own. */
  run(command: string, ...words: readonly string[]): Promise<unknown>
}

/** With the append-only file of everysec: what is younger than a second may be lost. It must be started. */
export async function openDurableRedis(): Promise<DurableRedis> {
  const temporary = await temporaryDirectory()
  const directory = join(temporary.path, 'redis')
  const port = await freePort()
  const args = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--dir', directory]
  let server: RedisServer | undefined
  const kill = async () => {
    await server?.kill()
    server = undefined
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      await mkdir(directory, { recursive: true })
      server = await startRedisServer({ port, args })
    },
    kill,
    freeze: () => server?.freeze(),
    thaw: () => server?.thaw(),
    forget: () => rm(directory, { recursive: true, force: true }),
    async run(command, ...words) {
      const connection = new Redis(port, '127.0.0.1')
      try {
        return await connection.call(command, ...words)
      } finally {
        connection.disconnect()
      }
    },
    async [Symbol.asyncDispose]() {
      await kill()
      await temporary.remove()
    },
  }
}
