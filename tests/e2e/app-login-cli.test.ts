import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { givenExtension, logIn } from '../support/app-login.ts'
import { BACKENDS, startTestGateway } from '../support/gateway.ts'
import { sharedRedisUrl } from '../support/redis-server.ts'

const CLI = join(import.meta.dirname, '../../src/bin/cli.ts')

test.each(BACKENDS)('an operator unlocks an extension from a shell, on %s', async (backend) => {
  const WAKELINE_SECRET = randomBytes(32).toString('hex')
  await using gateway = await startTestGateway({
    backend,
    workers: false,
    env: { WAKELINE_SECRET, RATE_LIMITS: 'off' },
  })
  const { tenantId } = gateway.tenant
  await givenExtension(gateway, '1001')
  const unlock = (...words: string[]) => {
    const { promise, resolve } = Promise.withResolvers<{ code: number; stdout: string; stderr: string }>()
    const env = {
      PATH: process.env.PATH,
      DATABASE_URL: gateway.database.url,
      ...(backend === 'redis' && { REDIS_URL: sharedRedisUrl() }),
      QUEUE_PREFIX: gateway.config.queue.prefix,
      WAKELINE_SECRET,
    }
    const command = ['--disable-warning=ExperimentalWarning', CLI, 'extension', 'unlock', ...words]
    execFile(process.execPath, command, { env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    )
    return promise
  }

  for (let i = 0; i < 5; i += 1) await logIn(gateway, '1001', { password: 'wrong' })
  expect((await logIn(gateway, '1001')).status).toBe(429)
  expect(await unlock('--tenant', tenantId, '--extension', '9999')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'wakeline: extension not found\n',
  })
  expect((await unlock('--tenant', 'acme', '--extension', '1001')).stderr).toBe(
    'wakeline: --tenant must be the id of a customer\n',
  )
  const done = await unlock('--tenant', tenantId, '--extension', '1001')
  expect(JSON.parse(done.stdout)).toEqual({ tenant_id: tenantId, extension: '1001', status: 'unlocked' })
  expect((await logIn(gateway, '1001')).status).toBe(200)
})
