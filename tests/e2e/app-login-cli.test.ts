import { randomBytes } from 'node:crypto'
import { givenExtension, logIn } from '../support/app-login.ts'
import { BACKENDS, startTestGateway } from '../support/gateway.ts'
import { sharedRedisUrl } from '../support/redis-server.ts'
import { runCli } from '../support/run-cli.ts'

test.each(BACKENDS)('an operator unlocks an extension from a shell, on %s', async (backend) => {
  const WAKELINE_SECRET = randomBytes(32).toString('hex')
  await using gateway = await startTestGateway({
    backend,
    workers: false,
    env: { WAKELINE_SECRET, RATE_LIMITS: 'off' },
  })
  const { tenantId } = gateway.tenant
  await givenExtension(gateway, '1001')
  const unlock = (...words: string[]) =>
    runCli(['extension', 'unlock', ...words], {
      DATABASE_URL: gateway.database.url,
      ...(backend === 'redis' && { REDIS_URL: sharedRedisUrl() }),
      QUEUE_PREFIX: gateway.config.queue.prefix,
      WAKELINE_SECRET,
    })

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
