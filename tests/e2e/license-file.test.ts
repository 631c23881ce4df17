import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { newId } from '../../src/lib/ids.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { DAY } from '../../src/lib/units.ts'
import { createLicenseFile } from '../../src/license/license-file.ts'
import { createLicenseSigning } from '../../src/license/license-signing.ts'
import { startProgram } from '../support/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const run = async (env: Record<string, string>, ...words: string[]) => {
  await using program = startProgram('cli', { args: ['license', ...words], env })
  return await program.exited
}

const SECRET = randomBytes(32)
const signing = createLicenseSigning({ seed: createKeyring(SECRET).licenseSigningSeed })
const license = {
  id: newId(),
  tenantId: newId(),
  tier: 'standard',
  maxExtensions: 25,
  entitlements: ['calls', 'offline'] as const,
  createdAt: 0,
  key: { prefix: 'WL-7XK2MA' },
}

test('a file is judged without environment, database or network', async () => {
  await using directory = await temporaryDirectory()
  const save = async (name: string, content: string) => {
    const path = join(directory.path, name)
    await writeFile(path, content)
    return path
  }
  const make = (now: number, fingerprint?: string) =>
    createLicenseFile(signing, license, { now, lifeMs: DAY, graceMs: 0, fingerprint })
  const { file, expiresAt } = await make(Date.now())
  const pem = await save('wakeline.pem', signing.publicKeyPem())
  const good = await save('good', `${file}\n`)

  const table = await run({}, 'verify', good, '--public-key', pem)
  expect(table).toMatchObject({ code: 0, stderr: '' })
  expect(table.stdout).toContain(`good until ${new Date(expiresAt).toISOString()}`)
  expect(table.stdout).toContain(`${license.id} (WL-7XK2MA…)`)
  const json = await run({}, 'verify', good, '--public-key', pem, '--json')
  expect(JSON.parse(json.stdout)).toMatchObject({
    valid: true,
    expires_at: new Date(expiresAt).toISOString(),
    claims: { sub: license.id, tier: 'standard', max_installations: null },
  })

  const bound = await save('bound', (await make(Date.now(), 'machine-0001')).file)
  expect((await run({}, 'verify', bound, '--public-key', pem, '--fingerprint', 'machine-0001')).code).toBe(0)
  for (const [path, code, more] of [
    [await save('old', (await make(Date.now() - DAY - 1_000)).file), 'FILE_EXPIRED', []],
    [
      await save(
        'changed',
        file.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')),
      ),
      'SIGNATURE_INVALID',
      [],
    ],
    [await save('rubbish', 'rubbish'), 'FILE_MALFORMED', []],
    [bound, 'FINGERPRINT_REQUIRED', []],
    [bound, 'FINGERPRINT_MISMATCH', ['--fingerprint', 'machine-0002']],
  ] as const) {
    const refused = await run({}, 'verify', path, '--public-key', pem, ...more)
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringMatching(`^refused: .* \\(${code}\\)\n$`) })
    const told = await run({}, 'verify', path, '--public-key', pem, ...more, '--json')
    expect(told.code).toBe(1)
    expect(JSON.parse(told.stdout)).toEqual({ valid: false, code, hint: expect.any(String) })
  }
})

test('the public key comes from the secret alone', async () => {
  await using directory = await temporaryDirectory()
  const env = { WAKELINE_SECRET: SECRET.toString('hex') }
  expect(await run(env, 'public-key')).toMatchObject({ code: 0, stdout: signing.publicKeyPem(), stderr: '' })
  const { stdout } = await run(env, 'public-key', '--json')
  expect(JSON.parse(stdout)).toEqual({ keys: [signing.publicJwk()] })
  expect(await run({}, 'public-key')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'wakeline: there is no secret: set WAKELINE_SECRET or WAKELINE_SECRET_FILE\n',
  })
  const none = join(directory.path, 'none')
  expect((await run({}, 'verify', none, '--public-key', none)).stderr).toBe(
    'wakeline: --public-key cannot be read (ENOENT)\n',
  )
  await writeFile(none, 'no key')
  expect((await run({}, 'verify', none, '--public-key', none)).stderr).toBe(
    'wakeline: the public key must be an Ed25519 key in PEM, as GET /v1/license/public-key gives it\n',
  )
})
