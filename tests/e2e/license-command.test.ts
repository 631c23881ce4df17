import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { jest } from '@jest/globals'
import { type Context, createContext } from '../../src/context.ts'
import type { Terminal } from '../../src/lib/confirm.ts'
import { newId } from '../../src/lib/ids.ts'
import { licenseCommand } from '../../src/license/license-command.ts'
import { until } from '../support/conditions.ts'
import { cloneDatabase, type TestDatabase } from '../support/databases.ts'
import { testConfig } from '../support/gateway.ts'
import { type Ran, runCli } from '../support/run-cli.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

let database: TestDatabase
let context: Context
let env: Record<string, string>
let printed: jest.SpiedFunction<typeof console.log>
beforeAll(async () => {
  printed = jest.spyOn(console, 'log').mockReturnValue()
  database = await cloneDatabase()
  const secret = randomBytes(32).toString('hex')
  env = { DATABASE_URL: database.url, WAKELINE_SECRET: secret }
  const { config, secrets } = testConfig({ backend: 'postgres', env }, database.url)
  context = await createContext(config, secrets)
})
afterAll(async () => {
  printed.mockRestore()
  await context[Symbol.asyncDispose]()
  await database.drop()
})

/** The program itself, without a terminal. */
const wakeline = (...words: string[]): Promise<Ran> => runCli(['license', ...words], env)

/** The command in this process, without a terminal unless one is given. It ends no process, and prints no fault. */
async function run(...words: string[]): Promise<string> {
  const before = printed.mock.calls.length
  await commandAt({ input: new PassThrough(), output: new PassThrough() }).parseAsync(words, { from: 'user' })
  return printed.mock.calls.slice(before).flat().join('\n')
}
function commandAt(terminal: Terminal) {
  const command = licenseCommand((work) => work(context), terminal)
  for (const each of command.commands) each.exitOverride().configureOutput({ writeErr: () => undefined })
  return command
}
const json = async (...words: string[]) => JSON.parse(await run(...words, '--json'))
const givenLicense = () =>
  context.manageLicenses.create(
    { tenantName: `tenant ${newId()}`, withPbxKey: false, tier: 'standard' },
    'shell',
  )
const find = (id: string) => context.licenseRecords.licenses.find(id)
const activate = (license: { id: string }) =>
  context.installations.activate({ license, hostname: 'pbx1', version: '', actor: 'pbx' })

test('a licence goes through its life', async () => {
  const words = ['--tenant-name', 'Acme', '--tier', 'standard', '--expires-at', '2099-12-31', '--pbx-key']
  const made = await json('create', ...words)
  expect(made).toEqual({
    license: expect.objectContaining({ state: 'active', expires_at: '2099-12-31T00:00:00.000Z' }),
    license_key: expect.stringMatching(/^WL-/),
    pbx_key: expect.stringMatching(/^wlpbx_/),
  })
  const { id } = made.license
  const prefix = made.license_key.slice(0, 9)
  expect((await json('suspend', prefix, '--reason', 'open invoice')).license.state).toBe('suspended')
  expect(await json('suspend', id, '--reason', 'again')).toMatchObject({ changed: false })
  expect((await json('reinstate', made.license_key)).license.state).toBe('active')
  expect((await json('renew', prefix, '--days', '1')).license.expires_at).toBe('2100-01-01T00:00:00.000Z')
  expect(
    (await json('change', prefix, '--max-installations', 'any', '--expires-at', 'never')).license,
  ).toMatchObject({
    tier: 'custom',
    max_installations: null,
    expires_at: null,
  })
  const rotated = await json('rotate', prefix, '--overlap', '0', '--yes')
  expect((await json('revoke', prefix, '--reason', 'over', '--yes')).license.state).toBe('revoked')

  const shown = await json('show', prefix)
  expect(
    shown.events.map((event: { action: string; actor: string }) => `${event.actor} ${event.action}`),
  ).toEqual(
    ['revoked', 'key_rotated', 'changed', 'renewed', 'reinstated', 'suspended', 'created'].map(
      (each) => `shell ${each}`,
    ),
  )
  const text = await run('show', prefix)
  expect(text).toContain('state           revoked')
  for (const key of [made.license_key, rotated.license_key]) {
    expect(JSON.stringify(shown)).not.toContain(key)
    expect(text).not.toContain(key)
  }
  expect(await run('list', '--text', 'acme', '--state', 'revoked')).toContain(id)
})

test('people get a table, and what a PBX calls itself cannot steer their terminal', async () => {
  const { license } = await givenLicense()
  await context.installations.activate({ license, hostname: '\u001b[2Jpbx\u0007', version: '', actor: 'pbx' })
  const shown = await run('show', license.id)
  expect(shown).toMatch(/^INSTALLATION +HOST +VERSION +SINCE +LAST SEEN$/m)
  expect(shown).toContain('[2Jpbx')
  expect(shown.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
})

test('a file is written once, and never over another', async () => {
  await using directory = await temporaryDirectory()
  const { license } = await givenLicense()
  const out = join(directory.path, 'acme.license')
  expect(await run('export', license.id, '--days', '10', '--out', out, '--yes')).toMatch(/is good until/)
  await expect(run('export', license.id, '--out', out, '--yes')).rejects.toThrow(`--out: ${out} exists`)
  expect((await readFile(out, 'utf8')).trim().split('.')).toHaveLength(3)
  expect((await json('export', license.id, '--yes')).file.split('.')).toHaveLength(3)
})

test('seats are moved and freed', async () => {
  const { license } = await givenLicense()
  const seat = await activate(license)
  const moved = await json('transfer', license.id, '--from', seat.id, '--hostname', 'pbx2', '--yes')
  expect(moved.installation).toMatchObject({ hostname: 'pbx2', deactivated_at: null })
  const freed = await json('deactivate', license.id, moved.installation.instance_id, '--yes')
  expect(freed.installation.deactivated_at).toEqual(expect.any(String))
  expect(await context.installations.list(license.id)).toEqual([])
})

describe('what is refused', () => {
  const refused: [string, string[], RegExp][] = [
    ['an unknown licence', ['show', 'WL-000000'], /^licence not found \(unknown_license\)$/],
    ['an unknown tenant', ['create', '--tenant-id', newId()], /^--tenant-id is not a tenant of this gateway/],
    ['no tenant', ['create'], /^give either --tenant-id or --tenant-name$/],
    [
      'a custom licence of no size',
      ['create', '--tenant-name', 'x', '--tier', 'custom'],
      /--max-extensions$/,
    ],
    ['a tier', ['create', '--tier', 'golden'], /option '--tier <tier>' argument 'golden' is invalid/],
    ['a number', ['renew', 'ID', '--days', '1e3'], /^--days must be a whole number from 1 to 36500$/],
    ['a date', ['renew', 'ID', '--until', '2027-02-30'], /^--until must be a date like 2027-12-31/],
    ['nothing to renew by', ['renew', 'ID'], /^give one of --until, --days, --months and --never$/],
    ['an overlap', ['rotate', 'ID', '--overlap', '91'], /^--overlap must be a whole number from 0 to 90$/],
    ['an entitlement', ['change', 'ID', '--entitlements', 'calls,fax'], /^--entitlements must be some of/],
    ['no reason', ['suspend', 'ID'], /required option '--reason <text>' not specified/],
    ['a seat', ['deactivate', 'ID', 'pbx1', '--yes'], /is invalid for argument 'instance_id'/],
    ['a fingerprint', ['export', 'ID', '--fingerprint', 'x'], /^--fingerprint must be 8 to 256 of/],
    ['a page', ['list', '--cursor', 'x'], /^--cursor must be/],
    ['to revoke without asking', ['revoke', 'ID', '--reason', 'x'], /repeat it with --yes$/],
    ['to make a file without asking', ['export', 'ID'], /repeat it with --yes$/],
    ['to end keys without asking', ['rotate', 'ID', '--overlap', '0'], /repeat it with --yes$/],
    ['to free a seat without asking', ['deactivate', 'ID', newId()], /repeat it with --yes$/],
    [
      'to move a seat without asking',
      ['transfer', 'ID', '--from', newId(), '--hostname', 'x'],
      /repeat it with --yes$/,
    ],
  ]

  test.each(refused)('%s', async (_what, words, sentence) => {
    const { license } = await givenLicense()
    const refusal = await run(...words.map((word) => (word === 'ID' ? license.id : word))).catch(
      (error: Error) => error.message,
    )
    expect(refusal).toMatch(sentence)
    expect(refusal).not.toContain('\n')
    expect(await context.licenseRecords.events.list(license.id, 10)).toHaveLength(1)
  })

  test('the program says it in one sentence and exits with 1', async () => {
    const { license } = await givenLicense()
    const [made, unknown, unsure, misspelt] = await Promise.all([
      wakeline('create', '--tenant-name', 'Acme', '--json'),
      wakeline('show', 'WL-000000'),
      wakeline('revoke', license.id, '--reason', 'x'),
      wakeline('create', '--tier', 'golden'),
    ])
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(made.stdout).license).toMatchObject({ tier: 'free', state: 'active' })
    expect(unknown).toEqual({
      code: 1,
      stdout: '',
      stderr: 'wakeline: licence not found (unknown_license)\n',
    })
    expect(unsure).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^wakeline: .* with --yes\n$/),
    })
    expect(misspelt).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^error: option [^\n]+\n$/),
    })
  })
})

test('every command has help with an example', async () => {
  const { commands } = licenseCommand((work) => work(context))
  const names = commands.map((command) => command.name())
  expect(names).toEqual(
    expect.arrayContaining(
      'create list show suspend reinstate revoke renew rotate transfer export'.split(' '),
    ),
  )
  for (const command of commands) {
    let help = ''
    command.configureOutput({
      writeOut: (text) => {
        help += text
      },
    })
    command.outputHelp()
    expect(help).toContain(`Example:\n  wakeline license ${command.name()}`)
  }
})

describe('at a terminal', () => {
  /** Runs a command with somebody who types this when he is asked. */
  async function typing(
    answer: string | undefined,
    ...words: string[]
  ): Promise<{ asked: string; done: boolean }> {
    const [input, output] = [Object.assign(new PassThrough(), { isTTY: true }), new PassThrough()]
    let asked = ''
    output.on('data', (chunk: Buffer) => {
      asked += chunk.toString()
    })
    const running = commandAt({ input, output })
      .parseAsync([...words, '--json'], { from: 'user' })
      .then(
        () => true,
        (error: Error) => {
          if (error.message !== 'not confirmed: nothing was done') throw error
          return false
        },
      )
    await until(() => asked.includes('to go on: '), { description: 'the question is asked' })
    if (answer === undefined) input.end()
    else input.write(`${answer}\n`)
    return { asked, done: await running }
  }

  const asking: [string, (id: string, seat: string) => string[]][] = [
    ['revoke', (id) => ['revoke', id, '--reason', 'x']],
    ['rotate', (id) => ['rotate', id, '--overlap', '0']],
    ['export', (id) => ['export', id]],
    ['deactivate', (id, seat) => ['deactivate', id, seat]],
    ['transfer', (id, seat) => ['transfer', id, '--from', seat, '--hostname', 'pbx2']],
  ]

  test.each(asking)('%s has the first letters of the key typed', async (_name, words) => {
    const { license, key } = await givenLicense()
    const seat = await activate(license)
    const before = await context.licenseRecords.events.list(license.id, 10)
    const wanted = words(license.id, seat.id)
    for (const answer of ['', 'yes', 'WL-', key.slice(0, 8), undefined]) {
      expect([answer, (await typing(answer, ...wanted)).done]).toEqual([answer, false])
    }
    expect(await context.licenseRecords.events.list(license.id, 10)).toEqual(before)

    const { asked, done } = await typing(key.slice(0, 9), ...wanted)
    expect(done).toBe(true)
    expect(asked).toContain(`This is ${key.slice(0, 9)} of tenant `)
    expect(asked).toContain('active, with 1 installation.')
    expect(await context.licenseRecords.events.list(license.id, 10)).toHaveLength(before.length + 1)
  })

  test('a revoked licence stays revoked', async () => {
    const { license, key } = await givenLicense()
    await typing(key.slice(0, 9), 'revoke', license.id, '--reason', 'x')
    expect((await find(license.id))?.revokedAt).toEqual(expect.any(Number))
    await expect(run('reinstate', license.id)).rejects.toThrow('is revoked, and stays so (license_revoked)')
  })
})
