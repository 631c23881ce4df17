import { execFile } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { compactVerify, createLocalJWKSet } from 'jose'
import { DAY, SECOND } from '../../src/lib/units.ts'
import { createTenant } from '../../src/license/create-tenant.ts'
import { canonicalKey } from '../../src/license/license-key.ts'
import { BACKENDS, type GatewayOptions, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const DAY_IN_SECONDS = DAY / SECOND
const checkout = (gateway: TestGateway, body: unknown, headers: Record<string, string> = {}) =>
  gateway.request('POST', '/v1/license/checkout', { body, headers })
const claimsOf = (file: string) => JSON.parse(Buffer.from(file.split('.')[1] ?? '', 'base64url').toString())

/** A gateway whose customer has a licence for any number of machines, so that no file needs one. */
async function startUnlimited(options: GatewayOptions) {
  const gateway = await startTestGateway({ workers: false, ...options })
  await gateway.context.db('licenses').update({ max_installations: null })
  return gateway
}

/** A customer whose licence's row is changed before anybody asks about it, so that no cache has to forget. */
async function customer(gateway: TestGateway, values: Record<string, unknown>) {
  const { licenseId, licenseKey } = await createTenant(gateway.context, { name: 'other', tier: 'standard' })
  await gateway.context
    .db('licenses')
    .where({ id: licenseId })
    .update({ max_installations: null, ...values })
  return { license_key: licenseKey }
}

async function openssl(...words: string[]): Promise<{ code: number; output: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)('openssl', words)
    return { code: 0, output: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string }
    if (code === 'ENOENT') throw new Error('openssl is not installed: apt-get install openssl')
    return { code: Number(code), output: `${stdout}${stderr}` }
  }
}

describe.each(BACKENDS)('licence files on %s', (backend) => {
  test('are checked out with the key, in the body or in the header, and jose verifies them with the published key', async () => {
    await using gateway = await startTestGateway({ backend, workers: false, patient: true })
    const key = gateway.tenant.licenseKey
    const published = await gateway.request('GET', '/v1/license/public-key')
    expect(published.status).toBe(200)
    expect(published.text.length).toBeLessThan(4_096)
    const keys = createLocalJWKSet(published.json.data)

    const seat = { license_key: key, hostname: 'pbx1', fingerprint: 'machine-0001' }
    expect((await gateway.request('POST', '/v1/license/activate', { body: seat })).status).toBe(200)
    const first = await checkout(gateway, { license_key: key, fingerprint: 'machine-0001', ttl: 3_600 })
    expect(first).toMatchObject({ status: 200 })
    const { file, expires_at, kid } = first.json.data
    const { payload, protectedHeader } = await compactVerify(file, keys)
    expect(protectedHeader.kid).toBe(kid)
    const claims = JSON.parse(Buffer.from(payload).toString())
    expect(claims).toMatchObject({
      sub: gateway.tenant.licenseId,
      tier: 'professional',
      max_extensions: 100,
      max_installations: 20,
      entitlements: ['calls', 'messages', 'webhooks', 'offline'],
      key_prefix: canonicalKey(key).slice(0, 9),
      fingerprint: 'machine-0001',
    })
    expect(claims.exp - claims.iat).toBe(3_600)
    expect(Date.parse(expires_at)).toBe(claims.exp * 1_000)
    expect(file).not.toContain(key)

    const second = await checkout(gateway, { fingerprint: 'machine-0001' }, { 'x-license-key': key })
    const other = claimsOf(second.json.data.file)
    expect(other.exp - other.iat).toBe(30 * DAY_IN_SECONDS)
    expect(other.jti).not.toBe(claims.jti)

    const events = await gateway.context.licenseRecords.events.list(gateway.tenant.licenseId, 10)
    expect(events.filter(({ action }) => action === 'exported')).toMatchObject([
      { actor: 'pbx', details: { expires_at: second.json.data.expires_at, fingerprint: 'machine-0001' } },
      { actor: 'pbx', details: { expires_at, fingerprint: 'machine-0001' } },
    ])
  })

  test('of a licence for so many installations are for one that is active, and no other', async () => {
    await using gateway = await startTestGateway({ backend, workers: false, patient: true })
    const { licenseKey: license_key } = await createTenant(gateway.context, { name: 'two', tier: 'standard' })
    const fingerprint = 'machine-0001'
    const ask = async (machine: object) => {
      const { status, json } = await checkout(gateway, { license_key, ...machine })
      return [status, json.code]
    }
    expect(await ask({})).toEqual([403, 'INSTALLATION_NOT_FOUND'])
    expect(await ask({ fingerprint })).toEqual([403, 'INSTALLATION_NOT_FOUND'])
    const act = (name: string, body: object) =>
      gateway.request('POST', `/v1/license/${name}`, { body: { license_key, ...body } })
    const { instance_id } = (await act('activate', { hostname: 'pbx1', fingerprint })).json.data
    expect(await ask({ fingerprint })).toEqual([200, undefined])
    expect(await ask({ fingerprint: 'machine-0002' })).toEqual([403, 'INSTALLATION_NOT_FOUND'])
    expect(await ask({})).toEqual([403, 'INSTALLATION_NOT_FOUND'])
    await act('deactivate', { instance_id })
    expect(await ask({ fingerprint })).toEqual([403, 'INSTALLATION_DEACTIVATED'])
  })

  test('of a licence for any number of machines are for any, or for one', async () => {
    await using gateway = await startUnlimited({ backend, patient: true })
    const license_key = gateway.tenant.licenseKey
    const any = await checkout(gateway, { license_key })
    expect(claimsOf(any.json.data.file)).not.toHaveProperty('fingerprint')
    const one = await checkout(gateway, { license_key, fingerprint: 'machine-0001' })
    expect(claimsOf(one.json.data.file)).toMatchObject({
      fingerprint: 'machine-0001',
      max_installations: null,
    })
  })

  test('are refused to a licence without them, a suspended, a revoked and a wrong one', async () => {
    await using gateway = await startUnlimited({ backend, patient: true })
    const now = new Date()
    for (const [values, code] of [
      [{ entitlements: ['calls'] }, 'ENTITLEMENT_MISSING'],
      [{ suspended_at: now }, 'SUSPENDED'],
      [{ revoked_at: now, suspended_at: now }, 'REVOKED'],
      [{ expires_at: new Date(now.getTime() - 8 * DAY) }, 'EXPIRED'],
    ] as const) {
      const answer = await checkout(gateway, await customer(gateway, values))
      expect(answer).toMatchObject({ status: 403, json: { data: null, code, hint: expect.any(String) } })
    }
    expect(await checkout(gateway, { license_key: 'nobody' })).toMatchObject({ status: 403 })
    expect(await checkout(gateway, {})).toMatchObject({
      status: 400,
      json: { error: 'license_key is required' },
    })
    expect(await gateway.context.db('license_events').where({ action: 'exported' })).toEqual([])
  })

  test('of a licence that has ended lately are good for the rest of its time of grace', async () => {
    await using gateway = await startUnlimited({ backend, patient: true })
    const ended = new Date(Date.now() - DAY)
    const { json } = await checkout(gateway, await customer(gateway, { expires_at: ended }))
    expect(Math.abs(Date.parse(json.data.expires_at) - ended.getTime() - 7 * DAY)).toBeLessThan(1_001)
  })

  test('refuse bad input by field, and no body whatever makes them fail', async () => {
    await using gateway = await startUnlimited({ backend, env: { RATE_LIMITS: 'off' } })
    const license_key = gateway.tenant.licenseKey
    for (const [field, values] of Object.entries({
      ttl: [3_599, 90 * DAY_IN_SECONDS + 1, -1, 0, 3_600.5, '3600', null, 1e300, true, []],
      fingerprint: [
        '',
        'short',
        'a'.repeat(257),
        'white space',
        'nul\0nul\0nul',
        5,
        null,
        {},
        'ümlaut-ümlaut',
      ],
      license_key: [5, {}, []],
      unknown: [1],
    })) {
      for (const value of values) {
        const answer = await checkout(
          gateway,
          { license_key, [field]: value },
          { 'x-license-key': license_key },
        )
        expect({ field, value, status: answer.status, answer: answer.json }).toMatchObject({
          status: 400,
          answer: { data: null, code: 'invalid_request', field },
        })
      }
    }
    expect((await checkout(gateway, { license_key, ttl: 90 * DAY_IN_SECONDS })).status).toBe(200)
    const odd = fc.oneof(
      fc.json(),
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify({ license_key, ttl: value })),
    )
    await fc.assert(
      fc.asyncProperty(odd, async (body) => {
        expect((await checkout(gateway, body)).status).toBeLessThan(500)
      }),
      { numRuns: 200 },
    )
  })
})

test('openssl verifies a file with the published PEM, and refuses a changed one', async () => {
  await using gateway = await startUnlimited({ backend: 'postgres' })
  await using directory = await temporaryDirectory()
  const path = (name: string) => join(directory.path, name)
  const { json: key } = await gateway.request('GET', '/v1/license/public-key')
  const { json } = await checkout(gateway, { license_key: gateway.tenant.licenseKey })
  const [header, claims, signature] = json.data.file.split('.')
  await writeFile(path('key.pem'), key.data.pem)
  await writeFile(path('signed'), `${header}.${claims}`)
  await writeFile(path('signature'), Buffer.from(signature, 'base64url'))
  const verify = () =>
    openssl(
      ...['pkeyutl', '-verify', '-pubin', '-inkey', path('key.pem'), '-rawin'],
      ...['-in', path('signed'), '-sigfile', path('signature')],
    )
  expect(await verify()).toMatchObject({ code: 0, output: expect.stringContaining('Verified Successfully') })
  await writeFile(path('signed'), `${header}.${claims}x`)
  expect((await verify()).code).toBe(1)
  await writeFile(path('signed'), `${header}.${claims}`)
  await writeFile(path('signature'), randomBytes(64))
  expect((await verify()).code).toBe(1)
})

test('files are checked out ten times a minute, and others go on', async () => {
  await using gateway = await startUnlimited({ backend: 'postgres' })
  const body = { license_key: gateway.tenant.licenseKey }
  const answers = await Promise.all(Array.from({ length: 15 }, () => checkout(gateway, body)))
  const refused = answers.filter(({ status }) => status === 429)
  expect(answers.filter(({ status }) => status === 200).length + refused.length).toBe(15)
  expect(refused).toHaveLength(5)
  expect(refused[0]?.json).toMatchObject({ code: 'rate_limited', hint: expect.any(String) })
  expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await checkout(gateway, await customer(gateway, { notes: 'another one' }))).status).toBe(200)
  expect((await gateway.push()).status).not.toBe(429)
})

test('an operator may bring a key', async () => {
  await using directory = await temporaryDirectory()
  const own = generateKeyPairSync('ed25519')
  const LICENSE_SIGNING_KEY_FILE = join(directory.path, 'key.pem')
  await writeFile(LICENSE_SIGNING_KEY_FILE, own.privateKey.export({ format: 'pem', type: 'pkcs8' }))
  await using gateway = await startUnlimited({
    backend: 'postgres',
    env: { LICENSE_SIGNING_KEY_FILE },
  })
  const { json } = await checkout(gateway, { license_key: gateway.tenant.licenseKey })
  await expect(compactVerify(json.data.file, own.publicKey)).resolves.toBeDefined()
  const published = await gateway.request('GET', '/v1/license/public-key')
  expect(published.json.data.pem).toBe(own.publicKey.export({ format: 'pem', type: 'spki' }))
  expect(published.text).not.toContain('PRIVATE')
})

test('two nodes publish the same key', async () => {
  await using gateway = await startTestGateway({ backend: 'postgres', workers: false, nodes: 2 })
  const [first, second] = await Promise.all(
    gateway.nodes.map(({ url }) => gateway.request('GET', '/v1/license/public-key', { base: url })),
  )
  expect(first?.json.data).toEqual(second?.json.data)
})
