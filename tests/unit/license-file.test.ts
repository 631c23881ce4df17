import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import fc from 'fast-check'
import { calculateJwkThumbprint, compactVerify, importJWK } from 'jose'
import { newId } from '../../src/lib/ids.ts'
import { DAY, MINUTE } from '../../src/lib/units.ts'
import type { License } from '../../src/license/license.ts'
import { createLicenseFile, type FileVerdict, verifyLicenseFile } from '../../src/license/license-file.ts'
import { createLicenseSigning, kidOf, readPublicKey } from '../../src/license/license-signing.ts'

const NOW = Date.UTC(2026, 10, 21, 12)
const signing = createLicenseSigning({ seed: Buffer.alloc(32, 7) })
const publicKey = createPublicKey(signing.publicKeyPem())
const license: License = {
  id: newId(),
  tenantId: newId(),
  tier: 'standard',
  maxExtensions: 25,
  maxInstallations: 5,
  entitlements: ['calls', 'offline'],
  createdAt: NOW - DAY,
  expiresAt: NOW + 365 * DAY,
}
const terms = { now: NOW, lifeMs: 30 * DAY, graceMs: 7 * DAY }
const codeOf = (verdict: FileVerdict) => (verdict.isValid ? 'good' : verdict.code)
const judge = (file: string, options: { now?: number; fingerprint?: string; key?: KeyObject } = {}) =>
  codeOf(verifyLicenseFile(file, options.key ?? publicKey, { now: NOW, ...options }))

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString())
const HEADER = { alg: 'EdDSA', typ: 'wakeline-license+jwt', kid: signing.kid }

/** A file with the right claims, put together by the test. */
async function forged(
  header: object,
  by: (data: Buffer) => Buffer = (data) => signing.sign(data),
  change: object = {},
) {
  const { file } = await createLicenseFile(signing, license, terms)
  const signed = `${encode(header)}.${encode({ ...decode(file.split('.')[1]), ...change })}`
  return `${signed}.${by(Buffer.from(signed)).toString('base64url')}`
}

describe('the signing key', () => {
  test('is the one of RFC 8037 appendix A for its seed, with the thumbprint of A.3', async () => {
    const known = createLicenseSigning({
      seed: Buffer.from('nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', 'base64url'),
    })
    expect(known.publicJwk()).toEqual({
      kty: 'OKP',
      crv: 'Ed25519',
      x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
      kid: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
      alg: 'EdDSA',
      use: 'sig',
    })
    expect(await calculateJwkThumbprint(signing.publicJwk())).toBe(signing.kid)
  })

  test('may be the operator’s own, in PEM', () => {
    const own = generateKeyPairSync('ed25519')
    const pem = own.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    const other = createLicenseSigning({ pem, seed: Buffer.alloc(32, 7) })
    expect(other.kid).toBe(kidOf(own.publicKey))
    expect(other.publicKeyPem()).toBe(own.publicKey.export({ format: 'pem', type: 'spki' }))
    expect(other.kid).not.toBe(signing.kid)
  })

  test.each([
    ['', 'nothing'],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'rubbish'],
    [
      generateKeyPairSync('ed448').publicKey.export({ format: 'pem', type: 'spki' }).toString(),
      'another curve',
    ],
    [
      generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      'a private key',
    ],
  ])('a public key that is none is refused in one sentence: %#', (pem) => {
    expect(() => readPublicKey(pem)).toThrow('the public key must be an Ed25519 key in PEM')
  })
})

describe('a licence file', () => {
  test('says what the licence allows, and jose verifies it', async () => {
    const { file, expiresAt } = await createLicenseFile(
      signing,
      { ...license, key: { prefix: 'WL-7XK2MA' } },
      { ...terms, fingerprint: 'machine-0001' },
    )
    expect(expiresAt).toBe(NOW + 30 * DAY)
    const { payload, protectedHeader } = await compactVerify(file, await importJWK(signing.publicJwk()))
    expect(protectedHeader).toEqual(HEADER)
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual({
      iss: 'wakeline',
      sub: license.id,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      iat: NOW / 1_000,
      exp: (NOW + 30 * DAY) / 1_000,
      tier: 'standard',
      max_extensions: 25,
      max_installations: 5,
      entitlements: ['calls', 'offline'],
      key_prefix: 'WL-7XK2MA',
      license_expires_at: '2027-11-21T12:00:00.000Z',
      fingerprint: 'machine-0001',
    })
    expect(judge(`${file}\n`, { fingerprint: 'machine-0001' })).toBe('good')
  })

  test('of a licence without bounds has none', async () => {
    const { maxInstallations, expiresAt, ...endless } = license
    const { file } = await createLicenseFile(signing, endless, terms)
    const claims = decode(file.split('.')[1])
    expect(claims).toMatchObject({ max_installations: null, exp: (NOW + 30 * DAY) / 1_000 })
    expect(claims).not.toHaveProperty('license_expires_at')
    expect(judge(file)).toBe('good')
  })

  test('never outlives the licence and its time of grace', async () => {
    const short = { ...license, expiresAt: NOW + DAY }
    const { file, expiresAt } = await createLicenseFile(signing, short, terms)
    expect(expiresAt).toBe(NOW + 8 * DAY)
    expect(judge(file, { now: NOW + 8 * DAY - 1_000 })).toBe('good')
    expect(judge(file, { now: NOW + 8 * DAY })).toBe('FILE_EXPIRED')
  })

  test.each([
    [{ revokedAt: NOW - 1 }, 'REVOKED'],
    [{ suspendedAt: NOW - 1 }, 'SUSPENDED'],
    [{ expiresAt: NOW - 7 * DAY }, 'EXPIRED'],
  ])('is not made for a licence that is no good: %j', async (change, code) => {
    await expect(createLicenseFile(signing, { ...license, ...change }, terms)).rejects.toMatchObject({
      code,
      status: 403,
    })
  })

  test.each([
    [{ now: NOW - 5 * MINUTE }, 'good'],
    [{ now: NOW - 5 * MINUTE - 1 }, 'FILE_NOT_YET_VALID'],
    [{ now: NOW + 30 * DAY - 1 }, 'good'],
    [{ now: NOW + 30 * DAY }, 'FILE_EXPIRED'],
    [{ fingerprint: 'any-machine' }, 'good'],
    [{ key: generateKeyPairSync('ed25519').publicKey }, 'KEY_UNKNOWN'],
  ])('is judged with the clock and the key: %#', async (options, code) => {
    const { file } = await createLicenseFile(signing, license, terms)
    expect(judge(file, options)).toBe(code)
  })

  test('for one machine is good there and nowhere else', async () => {
    const { file } = await createLicenseFile(signing, license, { ...terms, fingerprint: 'machine-0001' })
    expect(judge(file, { fingerprint: 'machine-0001' })).toBe('good')
    expect(judge(file, { fingerprint: 'machine-0002' })).toBe('FINGERPRINT_MISMATCH')
    expect(judge(file)).toBe('FINGERPRINT_REQUIRED')
  })

  test('with any one letter changed is refused', async () => {
    const { file } = await createLicenseFile(signing, license, terms)
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0é'
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.constantFrom(...letters), (at, letter) => {
        fc.pre(file[at] !== letter)
        expect(judge(file.slice(0, at) + letter + file.slice(at + 1))).not.toBe('good')
      }),
      { numRuns: 2_000 },
    )
    // Every place once, the last letter of each part too, whose lowest bits mean nothing to most decoders.
    for (let at = 0; at < file.length; at += 1) {
      const next = letters[(letters.indexOf(file[at] ?? '') + 1) % 64]
      expect(judge(file.slice(0, at) + next + file.slice(at + 1))).not.toBe('good')
    }
  })

  test('whatever text it is, it is judged and never throws', () => {
    const parts = fc.array(
      fc.oneof(
        fc.string(),
        fc.json().map((json) => Buffer.from(json).toString('base64url')),
      ),
      {
        maxLength: 5,
      },
    )
    fc.assert(
      fc.property(parts, (list) => {
        expect(judge(list.join('.'))).toBe('FILE_MALFORMED')
      }),
      { numRuns: 500 },
    )
  })

  test('cut short or with something added is refused', async () => {
    const { file } = await createLicenseFile(signing, license, terms)
    for (let length = 0; length < file.length; length += 1)
      expect(judge(file.slice(0, length))).not.toBe('good')
    expect(judge(`${file}.`)).toBe('FILE_MALFORMED')
    expect(judge(`${file}A`)).not.toBe('good')
    expect(judge(`${file}.${file}`)).toBe('FILE_MALFORMED')
  })
})

describe('the algorithm is not the file’s to choose', () => {
  const pem = signing.publicKeyPem()
  const hmac = (key: string | Buffer) => (data: Buffer) => createHmac('sha256', key).update(data).digest()
  const raw = Buffer.from(signing.publicJwk().x, 'base64url')
  const ed448 = generateKeyPairSync('ed448')
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const attacker = createLicenseSigning({ seed: randomBytes(32) })
  const byAttacker = (data: Buffer) => attacker.sign(data)

  test('the vectors differ from a good file in what they say they do', async () => {
    expect(judge(await forged(HEADER))).toBe('good')
  })

  test.each<[string, object, ((data: Buffer) => Buffer) | undefined, string]>([
    ['none', { ...HEADER, alg: 'none' }, () => Buffer.alloc(0), 'ALGORITHM_REFUSED'],
    ['None, signed', { ...HEADER, alg: 'None' }, undefined, 'ALGORITHM_REFUSED'],
    ['no signature', HEADER, () => Buffer.alloc(0), 'SIGNATURE_INVALID'],
    ['HS256 with the PEM', { ...HEADER, alg: 'HS256' }, hmac(pem), 'ALGORITHM_REFUSED'],
    ['HS256 with the raw key', { ...HEADER, alg: 'HS256' }, hmac(raw), 'ALGORITHM_REFUSED'],
    ['an HMAC that says EdDSA', HEADER, hmac(pem), 'SIGNATURE_INVALID'],
    [
      'ES256',
      { ...HEADER, alg: 'ES256' },
      (data) => sign('sha256', data, p256.privateKey),
      'ALGORITHM_REFUSED',
    ],
    ['Ed448', HEADER, (data) => sign(null, data, ed448.privateKey), 'SIGNATURE_INVALID'],
    ['another key', HEADER, byAttacker, 'SIGNATURE_INVALID'],
    ['another key and its kid', { ...HEADER, kid: attacker.kid }, byAttacker, 'KEY_UNKNOWN'],
    ['an embedded key', { ...HEADER, jwk: attacker.publicJwk() }, byAttacker, 'FILE_MALFORMED'],
    ['an embedded key of ours', { ...HEADER, jwk: signing.publicJwk() }, undefined, 'FILE_MALFORMED'],
    ['an address of keys', { ...HEADER, jku: 'https://example.org/keys' }, undefined, 'FILE_MALFORMED'],
    ['crit', { ...HEADER, crit: ['exp'], exp: 1 }, undefined, 'FILE_MALFORMED'],
    ['b64', { ...HEADER, b64: false, crit: ['b64'] }, undefined, 'FILE_MALFORMED'],
    ['typ of a plain JWT', { ...HEADER, typ: 'JWT' }, undefined, 'TYPE_REFUSED'],
    ['no typ', { alg: 'EdDSA', kid: signing.kid }, undefined, 'FILE_MALFORMED'],
    ['no kid', { alg: 'EdDSA', typ: HEADER.typ }, undefined, 'FILE_MALFORMED'],
    ['a list as alg', { ...HEADER, alg: ['EdDSA'] }, undefined, 'FILE_MALFORMED'],
  ])('%s', async (_name, header, by, code) => {
    expect(judge(await forged(header, by))).toBe(code)
  })

  test.each([
    [{ iss: 'somebody' }],
    [{ exp: '9999999999' }],
    [{ exp: null }],
    [{ exp: 1e300 }],
    [{ sub: 5 }],
    [{ entitlements: 'all' }],
    [{ fingerprint: 5 }],
  ])('claims of another form are refused, signed or not: %j', async (change) => {
    expect(judge(await forged(HEADER, undefined, change))).toBe('FILE_MALFORMED')
  })
})
