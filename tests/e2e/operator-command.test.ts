import { jest } from '@jest/globals'
import { operatorCommand } from '../../src/operator/operator-command.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { logIn, sessionCookie } from '../support/operators.ts'

describe.each(BACKENDS)('wakeline operator on %s', (backend) => {
  let gateway: TestGateway
  let printed: jest.SpiedFunction<typeof console.log>
  beforeAll(async () => {
    printed = jest.spyOn(console, 'log').mockReturnValue()
    gateway = await startTestGateway({ backend, workers: false, env: { TRUST_PROXY_HOPS: '1' } })
  })
  afterAll(async () => {
    printed.mockRestore()
    await gateway[Symbol.asyncDispose]()
  })

  async function run(...words: string[]): Promise<string> {
    const before = printed.mock.calls.length
    const command = operatorCommand((work) => work(gateway.context))
    for (const each of command.commands) each.exitOverride().configureOutput({ writeErr: () => undefined })
    await command.parseAsync(words, { from: 'user' })
    return printed.mock.calls.slice(before).flat().join('\n')
  }
  const json = async (...words: string[]) => JSON.parse(await run(...words))
  let lastAddress = 0
  const cookieOf = async (name: string, password: string) => {
    lastAddress += 1
    return sessionCookie(
      await logIn(gateway.url, { name, password }, { 'x-forwarded-for': `192.0.2.${lastAddress}` }),
    )
  }
  /** What a session may do: read, and make a licence. */
  const may = async (cookie = '') => {
    const ask = (method: string, body?: object) =>
      gateway.request(method, '/api/v1/operator/licenses', { headers: { cookie }, ...(body && { body }) })
    const [read, made] = [await ask('GET'), await ask('POST', { tenant_name: 'Acme', tier: 'free' })]
    return [read.status, made.status]
  }

  test('lists accounts without anything secret', async () => {
    const { password } = await json('add', '--name', 'lister', '--role', 'operator')
    await cookieOf('lister', password)
    const { operators } = await json('list', '--json')
    const found = operators.find(({ name }: { name: string }) => name === 'lister')
    expect(found).toEqual({ name: 'lister', role: 'operator', created_at: expect.any(String), sessions: 1 })
    const text = await run('list')
    expect(text).toMatch(/^NAME +ROLE +SINCE +LOGGED IN$/m)
    expect(text).toMatch(/^lister +operator /m)
    expect(text).not.toContain('argon2')
  })

  test('another role counts at once, and needs another login', async () => {
    const { password } = await json('add', '--name', 'riser')
    const viewer = await cookieOf('riser', password)
    expect(await may(viewer)).toEqual([200, 403])
    expect(await json('set-role', 'riser', '--role', 'admin')).toEqual({ name: 'riser', role: 'admin' })
    expect(await may(viewer)).toEqual([401, 401])
    const admin = await cookieOf('riser', password)
    expect(await may(admin)).toEqual([200, 201])
    await run('set-role', 'riser', '--role', 'viewer')
    expect(await may(admin)).toEqual([401, 401])
  })

  test('another password ends the sessions and the one before', async () => {
    const { password } = await json('add', '--name', 'forgetful', '--role', 'admin')
    const { password: others } = await json('add', '--name', 'bystander', '--role', 'admin')
    const [cookie, bystander] = [await cookieOf('forgetful', password), await cookieOf('bystander', others)]
    const made = await json('set-password', 'forgetful')
    expect(made).toEqual({ name: 'forgetful', password: expect.stringMatching(/^[\w-]{20}$/) })
    expect(await may(cookie)).toEqual([401, 401])
    expect(await cookieOf('forgetful', password)).toBeUndefined()
    expect(await may(await cookieOf('forgetful', made.password))).toEqual([200, 201])
    expect(await may(bystander)).toEqual([200, 201])
  })

  test('who is removed is out, and his name is free', async () => {
    const { password } = await json('add', '--name', 'leaver', '--role', 'admin')
    const cookie = await cookieOf('leaver', password)
    expect(await json('remove', 'leaver')).toEqual({ name: 'leaver', removed: true })
    expect(await may(cookie)).toEqual([401, 401])
    expect(await cookieOf('leaver', password)).toBeUndefined()
    expect(await json('add', '--name', 'leaver')).toMatchObject({ role: 'viewer' })
  })

  test.each([
    [['set-role', 'nobody', '--role', 'admin'], 'there is no operator named nobody'],
    [['set-password', 'nobody'], 'there is no operator named nobody'],
    [['remove', 'nobody'], 'there is no operator named nobody'],
    [['set-role', 'nobody'], "required option '--role <role>' not specified"],
    [['set-role', 'nobody', '--role', 'king'], 'Allowed choices are viewer, operator, admin'],
    [['remove', ' '], 'It must be 1 to 100 characters'],
  ])('%j is refused in one sentence', async (words, sentence) => {
    await expect(run(...words)).rejects.toThrow(sentence)
  })
})
