import { PassThrough } from 'node:stream'
import { jest } from '@jest/globals'
import type { Terminal } from '../../src/lib/confirm.ts'
import { newId } from '../../src/lib/ids.ts'
import { createTenant } from '../../src/license/create-tenant.ts'
import { pbxKeyCommand } from '../../src/license/pbx-key-command.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'

describe.each(BACKENDS)('wakeline pbx-key on %s', (backend) => {
  let gateway: TestGateway
  let printed: jest.SpiedFunction<typeof console.log>
  beforeAll(async () => {
    printed = jest.spyOn(console, 'log').mockReturnValue()
    gateway = await startTestGateway({ backend })
  })
  afterAll(async () => {
    printed.mockRestore()
    await gateway[Symbol.asyncDispose]()
  })

  async function run(words: string[], terminal?: Terminal): Promise<string> {
    const before = printed.mock.calls.length
    const nowhere = { input: new PassThrough(), output: new PassThrough() }
    const command = pbxKeyCommand((work) => work(gateway.context), terminal ?? nowhere)
    for (const each of command.commands) each.exitOverride().configureOutput({ writeErr: () => undefined })
    await command.parseAsync(words, { from: 'user' })
    return printed.mock.calls.slice(before).flat().join('\n')
  }
  const json = async (...words: string[]) => JSON.parse(await run([...words, '--json']))
  const status = async (pbxKey: string) =>
    (
      await gateway.request('GET', '/api/v1/pbx/extensions', {
        headers: { authorization: `Bearer ${pbxKey}` },
      })
    ).status

  test('lists keys by what may be told of them, and makes another', async () => {
    const { tenantId, pbxKey } = await createTenant(gateway.context, { name: 'Acme', tier: 'free' })
    const made = JSON.parse(await run(['create', '--tenant-id', tenantId, '--name', 'branch']))
    expect(made).toEqual({ tenant_id: tenantId, pbx_key: expect.stringMatching(/^wlpbx_[0-9a-f]{40}$/) })
    expect(await status(made.pbx_key)).toBe(200)
    const { pbx_keys } = await json('list', '--tenant-id', tenantId)
    expect(pbx_keys).toMatchObject([
      { name: 'branch', tenant_name: 'Acme', prefix: made.pbx_key.slice(0, 10), revoked_at: null },
      { name: 'Acme', prefix: pbxKey.slice(0, 10), revoked_at: null },
    ])
    const text = await run(['list'])
    expect(text).toMatch(/^ID +KEY +TENANT +NAME +SINCE +REVOKED$/m)
    for (const key of [made.pbx_key, pbxKey]) expect(text).not.toContain(key)
    await expect(run(['create', '--tenant-id', newId()])).rejects.toThrow('there is no tenant of this id')
  })

  test('revokes one, and its PBX is refused while another one goes on', async () => {
    const { tenantId, pbxKey } = await createTenant(gateway.context, { name: 'Acme', tier: 'free' })
    const { pbx_key: other } = JSON.parse(await run(['create', '--tenant-id', tenantId]))
    expect([await status(pbxKey), await status(other)]).toEqual([200, 200])
    const { pbx_keys } = await json('list', '--tenant-id', tenantId)
    const { id } = pbx_keys.find(({ name }: { name: string }) => name === 'Acme')
    await expect(run(['revoke', id])).rejects.toThrow('repeat it with --yes')
    expect(await json('revoke', id, '--yes')).toMatchObject({
      pbx_key: { id, revoked_at: expect.any(String) },
      changed: true,
    })
    expect(await json('revoke', id, '--yes')).toMatchObject({ changed: false })
    await until(async () => (await status(pbxKey)) === 401, { description: 'the key is refused' })
    expect(await status(other)).toBe(200)
  })

  test('asks at a terminal, and takes the first letters of a key', async () => {
    const { pbxKey } = await createTenant(gateway.context, { name: 'Acme', tier: 'free' })
    const prefix = pbxKey.slice(0, 10)
    const terminal = () => ({
      input: Object.assign(new PassThrough(), { isTTY: true }),
      output: new PassThrough(),
    })
    const typing = (text: string) => {
      const { input, output } = terminal()
      const done = run(['revoke', prefix], { input, output })
      input.write(`${text}\n`)
      return done
    }
    await expect(typing('yes')).rejects.toThrow('not confirmed: nothing was done')
    expect(await typing(prefix)).toBe(`${prefix} is revoked`)
    expect(await typing(prefix)).toContain('nothing to do')
    await expect(run(['revoke', 'wlpbx_none', '--yes'])).rejects.toThrow('there is no such PBX key')
  })
})
