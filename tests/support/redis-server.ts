import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { until } from './conditions.ts'
import { guardProcess } from './guard.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export interface RedisServer extends AsyncDisposable {
  url: string
  port: number
  pid: number
  /** Connections stay open and nothing answers, as on a host that hangs. */
  freeze(): void
  thaw(): void
  /** Gone without a word, as on a host that lost its power. */
  kill(): Promise<void>
}

/** A Redis of its own, for a test that hurts it or needs it configured. Give `port` to start a killed one again. */
export async function startRedisServer(
  options: { args?: string[]; port?: number } = {},
): Promise<RedisServer> {
  const directory = await temporaryDirectory()
  const port = options.port ?? (await freePort())
  const log = join(directory.path, 'redis.log')
  const memoryOnly = ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
  const place = ['--bind', '127.0.0.1', '--port', String(port), '--dir', directory.path, '--logfile', log]
  const child = spawn('redis-server', [...memoryOnly, ...place, ...(options.args ?? [])], {
    // A process group of its own: Ctrl-C ends Jest first, and the guard then ends this.
    detached: true,
    stdio: 'ignore',
  })
  let ended = false
  const exited = once(child, 'exit').then(() => {
    ended = true
  })
  await once(child, 'spawn')
  const pid = child.pid ?? 0
  const unguard = guardProcess(pid)
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
    unguard()
    await directory.remove()
  }
  try {
    await until(() => ended || answers(port), { description: `redis-server answers on port ${port}` })
    if (ended)
      throw new Error(`redis-server ended at once:\n${await readFile(log, 'utf8').catch(() => 'no log')}`)
  } catch (error) {
    await kill()
    throw error
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    kill,
    [Symbol.asyncDispose]: kill,
  }
}

/** The Redis of the whole run; other test files use it at the same time. */
export function sharedRedisUrl(): string {
  const url = process.env.WAKELINE_TEST_REDIS
  if (!url) throw new Error('WAKELINE_TEST_REDIS is not set: the global set-up has not run')
  return url
}

function answers(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
  socket.once('error', () => resolve(false))
  socket.once('close', () => resolve(false))
  socket.once('data', (data) => {
    resolve(/^\+PONG|^-NOAUTH/.test(data.toString()))
    socket.destroy()
  })
  return promise
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port on 127.0.0.1')
  return address.port
}
