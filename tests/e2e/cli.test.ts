import { randomBytes } from 'node:crypto'
import { cloneDatabase } from '../support/databases.ts'
import { sharedRedisUrl } from '../support/redis-server.ts'
import { runCli } from '../support/run-cli.ts'

const wakeline = (env: Record<string, string>, ...words: string[]) => runCli(words, env)

test('makes customers and operators, and refuses in one sentence', async () => {
  await using database = await cloneDatabase()
  const env = {
    DATABASE_URL: database.url,
    REDIS_URL: sharedRedisUrl(),
    QUEUE_PREFIX: `t${randomBytes(6).toString('hex')}`,
    WAKELINE_SECRET: randomBytes(32).toString('hex'),
  }
  const tenant = await wakeline(env, 'tenant', 'create', '--name', 'Acme', '--tier', 'standard')
  expect(JSON.parse(tenant.stdout)).toEqual({
    tenant_id: expect.any(String),
    license_id: expect.any(String),
    license_key: expect.stringMatching(/^WL-/),
    pbx_key: expect.stringMatching(/^wlpbx_/),
  })

  const operator = ['operator', 'add', '--name', 'ada', '--role', 'operator']
  expect(JSON.parse((await wakeline(env, ...operator)).stdout)).toMatchObject({
    name: 'ada',
    role: 'operator',
  })
  expect(await wakeline(env, ...operator)).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'wakeline: there is an operator named ada already\n',
  })

  const wrong = await wakeline(env, 'tenant', 'create', '--name', 'x', '--tier', 'golden')
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toContain('Allowed choices are free, standard, professional')
  const unset = await wakeline({}, 'tenant', 'create', '--name', 'x')
  expect(unset.stderr).toContain('DATABASE_URL is required')
  expect((await wakeline({}, '--help')).stdout).toContain('tenant')
})
