import { loadConfig } from '../../src/config/config.ts'
import { ConfigError } from '../../src/config/faults.ts'

const cluster = {
  DATABASE_URL: 'postgres://127.0.0.1/wakeline',
  REDIS_URL: 'redis://127.0.0.1',
  WAKELINE_SECRET: 'ab'.repeat(32),
}
const [ONE, TWO] = ['12'.repeat(32), '34'.repeat(32)]
const secretsOf = (env: Record<string, string>) =>
  loadConfig({ ...cluster, ...env }, 'cluster').secrets.appTokenSecrets?.map((bytes) =>
    Buffer.from(bytes).toString('hex'),
  )
function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    secretsOf(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

test('the secret of the app’s tokens is optional, and the previous one comes after it', () => {
  expect(secretsOf({})).toBeUndefined()
  expect(secretsOf({ APP_JWT_SECRET: ONE })).toEqual([ONE])
  expect(secretsOf({ APP_JWT_SECRET: ONE, APP_JWT_SECRET_PREVIOUS: TWO.toUpperCase() })).toEqual([ONE, TWO])
})

test.each([
  ['too short', { APP_JWT_SECRET: 'abcd' }, ['APP_JWT_SECRET']],
  ['no hex', { APP_JWT_SECRET: 'x'.repeat(64) }, ['APP_JWT_SECRET']],
  [
    'a previous one that is none',
    { APP_JWT_SECRET: ONE, APP_JWT_SECRET_PREVIOUS: 'no' },
    ['APP_JWT_SECRET_PREVIOUS'],
  ],
  ['a previous one alone', { APP_JWT_SECRET_PREVIOUS: ONE }, ['APP_JWT_SECRET_PREVIOUS']],
])('%s is a fault that names the variable and never its content', (_what, env, names) => {
  const faults = faultsOf(env)
  expect(faults.map((fault) => fault.split(' ')[0])).toEqual(names)
  for (const value of Object.values(env)) expect(faults.join()).not.toContain(value)
})
