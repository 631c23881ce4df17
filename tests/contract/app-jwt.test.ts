import { createHmac, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto'
import { appOf, givenExtension, logIn, signJwt, verifyJwt } from '../support/app-login.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const SECRET = randomBytes(32).toString('hex')
const PREVIOUS = randomBytes(32).toString('hex')
const OTHER = randomBytes(32).toString('hex')
const EXPIRED = 'invalid or expired token'
const CLAIMS = 'invalid token claims'

let gateway: TestGateway
let good: Record<string, unknown>
let token: string
let otherSession: Record<string, unknown>
beforeAll(async () => {
  gateway = await startTestGateway({
    backend: 'postgres',
    workers: false,
    env: { APP_JWT_SECRET: SECRET, APP_JWT_SECRET_PREVIOUS: PREVIOUS, RATE_LIMITS: 'off' },
  })
  await givenExtension(gateway, '1001')
  await givenExtension(gateway, '1002')
  token = (await logIn(gateway, '1001')).json.data.token
  good = verifyJwt(SECRET, token).claims
  otherSession = verifyJwt(SECRET, (await logIn(gateway, '1002')).json.data.token).claims
})
afterAll(() => gateway[Symbol.asyncDispose]())

const ask = (authorization?: string) =>
  gateway.request('GET', '/api/v1/app/me', {
    ...(authorization !== undefined && { headers: { authorization } }),
  })
const now = () => Math.floor(Date.now() / 1_000)
const without = (...names: string[]) =>
  Object.fromEntries(Object.entries(good).filter(([name]) => !names.includes(name)))
const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
const withHeader = (header: unknown) => signJwt(SECRET, good, { header })

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed = generateKeyPairSync('ed25519')
const signedBy = (alg: string, make: (text: Buffer) => Buffer) => {
  const text = `${encode({ alg, typ: 'JWT' })}.${encode(good)}`
  return `${text}.${make(Buffer.from(text)).toString('base64url')}`
}
const parts = () => token.split('.') as [string, string, string]

/** What is wrong, and a token that has that fault and no other. */
const vectors: readonly [string, () => string, string?][] = [
  ['alg none without a signature', () => `${encode({ alg: 'none', typ: 'JWT' })}.${encode(good)}.`],
  ['alg none with the right signature', () => withHeader({ alg: 'none', typ: 'JWT' })],
  ['alg None', () => withHeader({ alg: 'None', typ: 'JWT' })],
  ['alg NONE without a signature', () => `${encode({ alg: 'NONE', typ: 'JWT' })}.${encode(good)}.`],
  ['alg nOnE', () => withHeader({ alg: 'nOnE', typ: 'JWT' })],
  ['alg empty', () => withHeader({ alg: '', typ: 'JWT' })],
  ['alg null', () => withHeader({ alg: null, typ: 'JWT' })],
  ['alg missing', () => withHeader({ typ: 'JWT' })],
  ['alg an array', () => withHeader({ alg: ['HS256'], typ: 'JWT' })],
  ['alg hs256', () => withHeader({ alg: 'hs256', typ: 'JWT' })],
  [
    'alg HS384 with the same secret',
    () => signJwt(SECRET, good, { header: { alg: 'HS384', typ: 'JWT' }, hash: 'sha384' }),
  ],
  [
    'alg HS512 with the same secret',
    () => signJwt(SECRET, good, { header: { alg: 'HS512', typ: 'JWT' }, hash: 'sha512' }),
  ],
  ['alg HS256 named, HS512 used', () => signJwt(SECRET, good, { hash: 'sha512' })],
  ['RS256 with a key of their own', () => signedBy('RS256', (text) => sign('sha256', text, rsa.privateKey))],
  ['PS256 with a key of their own', () => signedBy('PS256', (text) => sign('sha256', text, rsa.privateKey))],
  [
    'ES256 with a key of their own',
    () =>
      signedBy('ES256', (text) => sign('sha256', text, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' })),
  ],
  ['ES256 with a signature of zeros', () => signedBy('ES256', () => Buffer.alloc(64))],
  ['EdDSA with a key of their own', () => signedBy('EdDSA', (text) => sign(null, text, ed.privateKey))],
  [
    'HS256 with a public key for a secret',
    () => {
      const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
      return signedBy('HS256', (text) => createHmac('sha256', pem).update(text).digest())
    },
  ],
  ['HS256 with an empty secret', () => signJwt('', good)],
  ['HS256 with the hex digits for the secret', () => signJwt(Buffer.from(SECRET).toString('hex'), good)],
  ['HS256 with another secret', () => signJwt(OTHER, good)],
  ['kid a path', () => withHeader({ alg: 'HS256', typ: 'JWT', kid: '../../../../dev/null' })],
  [
    'kid /dev/null and an empty secret',
    () => signJwt('', good, { header: { alg: 'HS256', typ: 'JWT', kid: '/dev/null' } }),
  ],
  ['kid SQL', () => withHeader({ alg: 'HS256', typ: 'JWT', kid: "x' UNION SELECT 'secret' --" })],
  ['kid a URL', () => withHeader({ alg: 'HS256', typ: 'JWT', kid: 'http://127.0.0.1:1/key' })],
  ['jku', () => withHeader({ alg: 'HS256', typ: 'JWT', jku: 'http://127.0.0.1:1/jwks.json' })],
  ['x5u', () => withHeader({ alg: 'HS256', typ: 'JWT', x5u: 'http://127.0.0.1:1/cert.pem' })],
  [
    'jwk of their own',
    () =>
      signJwt(OTHER, good, {
        header: {
          alg: 'HS256',
          typ: 'JWT',
          jwk: { kty: 'oct', k: Buffer.from(OTHER, 'hex').toString('base64url') },
        },
      }),
  ],
  ['x5c', () => withHeader({ alg: 'HS256', typ: 'JWT', x5c: ['MIIB'] })],
  ['crit', () => withHeader({ alg: 'HS256', typ: 'JWT', crit: ['exp'] })],
  ['b64 false', () => withHeader({ alg: 'HS256', typ: 'JWT', b64: false, crit: ['b64'] })],
  ['typ of another kind of token', () => withHeader({ alg: 'HS256', typ: 'at+jwt' })],
  ['typ JWE', () => withHeader({ alg: 'HS256', typ: 'JWE' })],
  ['alg twice, the good one last', () => withHeader('{"alg":"none","alg":"HS256","typ":"JWT"}')],
  ['alg twice, the good one first', () => withHeader('{"alg":"HS256","typ":"JWT","alg":"none"}')],
  ['a header that is no JSON', () => withHeader('not json')],
  ['a header that is null', () => withHeader('null')],
  ['a header that is an array', () => withHeader('[]')],
  ['no signature', () => `${parts()[0]}.${parts()[1]}.`],
  ['no third part', () => `${parts()[0]}.${parts()[1]}`],
  ['four parts', () => `${token}.${parts()[2]}`],
  ['five parts, as of a JWE', () => `${parts()[0]}.a.b.c.d`],
  ['half a signature', () => token.slice(0, -20)],
  ['a signature with one bit more', () => `${token}A`],
  ['a padded signature', () => `${token}=`],
  ['a signature of zeros', () => `${parts()[0]}.${parts()[1]}.${Buffer.alloc(32).toString('base64url')}`],
  ['the signature of another token', () => `${parts()[0]}.${encode({ ...good, ext: '1002' })}.${parts()[2]}`],
  [
    'the first byte of the signature changed',
    () => {
      const [header, payload, signature] = parts()
      const bytes = Buffer.from(signature, 'base64url')
      bytes[0] = (bytes[0] ?? 0) ^ 1
      return `${header}.${payload}.${bytes.toString('base64url')}`
    },
  ],
  ['a payload that is no JSON', () => signJwt(SECRET, 'not json')],
  ['a payload that is null', () => signJwt(SECRET, 'null')],
  ['a payload that is text', () => signJwt(SECRET, '"1001"')],
  ['a payload that is an array', () => signJwt(SECRET, '[]')],
  ['no payload', () => `${parts()[0]}..${parts()[2]}`],
  ['only dots', () => '..'],
  ['a word', () => 'token'],
  ['a huge token', () => signJwt(OTHER, { ...good, pad: 'x'.repeat(9_000) })],
  ['exp a second ago', () => signJwt(SECRET, { ...good, exp: now() - 1 })],
  ['exp now', () => signJwt(SECRET, { ...good, exp: now() })],
  ['exp zero', () => signJwt(SECRET, { ...good, exp: 0 })],
  ['exp text', () => signJwt(SECRET, { ...good, exp: String(now() + 600) })],
  ['exp twice, the good one first', () => signJwt(SECRET, `${JSON.stringify(good).slice(0, -1)},"exp":1}`)],
  ['nbf ahead', () => signJwt(SECRET, { ...good, nbf: now() + 60 })],
  ['nbf text', () => signJwt(SECRET, { ...good, nbf: 'soon' })],
  ['no iss', () => signJwt(SECRET, without('iss'))],
  ['another iss', () => signJwt(SECRET, { ...good, iss: 'https://accounts.example' })],
  ['iss an array with the right one', () => signJwt(SECRET, { ...good, iss: ['flowpbx'] })],
  ['iss in capitals', () => signJwt(SECRET, { ...good, iss: 'FLOWPBX' })],
  ['no aud, as FlowPBX writes them', () => signJwt(SECRET, without('aud', 'sid', 'jti'))],
  ['another aud', () => signJwt(SECRET, { ...good, aud: 'wakeline-operator' })],
  ['aud an object', () => signJwt(SECRET, { ...good, aud: { 0: 'wakeline-app' } })],
  ['a session that is not there', () => signJwt(SECRET, { ...good, sid: randomUUID() })],
  ['the session of somebody else', () => signJwt(SECRET, { ...good, sid: otherSession.sid })],
  ['the extension of somebody else', () => signJwt(SECRET, { ...good, ext_id: otherSession.ext_id })],
  ['ext_id 0', () => signJwt(SECRET, { ...good, ext_id: 0 }), CLAIMS],
  ['ext_id negative', () => signJwt(SECRET, { ...good, ext_id: -1 }), CLAIMS],
  ['ext_id text', () => signJwt(SECRET, { ...good, ext_id: String(good.ext_id) }), CLAIMS],
  ['ext_id a fraction', () => signJwt(SECRET, { ...good, ext_id: 1.5 }), CLAIMS],
  ['ext_id beyond all integers', () => signJwt(SECRET, { ...good, ext_id: 1e300 }), CLAIMS],
  ['no ext_id', () => signJwt(SECRET, without('ext_id')), CLAIMS],
  ['another ext', () => signJwt(SECRET, { ...good, ext: '1002' }), CLAIMS],
  ['no ext', () => signJwt(SECRET, without('ext')), CLAIMS],
  ['another sub', () => signJwt(SECRET, { ...good, sub: '1002' }), CLAIMS],
  ['no sub', () => signJwt(SECRET, without('sub')), CLAIMS],
  ['no sid', () => signJwt(SECRET, without('sid')), CLAIMS],
  ['sid SQL', () => signJwt(SECRET, { ...good, sid: "' OR 1=1 --" }), CLAIMS],
  ['no exp', () => signJwt(SECRET, without('exp')), CLAIMS],
  ['no iat', () => signJwt(SECRET, without('iat')), CLAIMS],
]

test('there are enough of them, each with a name of its own', () => {
  expect(vectors.length).toBeGreaterThanOrEqual(60)
  expect(new Set(vectors.map(([name]) => name)).size).toBe(vectors.length)
})

test('what they are made from is good', async () => {
  expect((await ask(`Bearer ${token}`)).status).toBe(200)
  expect((await ask(`Bearer ${signJwt(SECRET, good)}`)).status).toBe(200)
  expect((await ask(`Bearer ${signJwt(SECRET, { ...good, exp: now() + 30, nbf: now() - 1 })}`)).status).toBe(
    200,
  )
})

test.each(vectors)('%s is refused', async (_name, make, error = EXPIRED) => {
  const { status, json } = await ask(`Bearer ${make()}`)
  expect({ status, error: json.error }).toEqual({ status: 401, error })
  expect(json.code).toBe(error === EXPIRED ? 'invalid_token' : 'invalid_token_claims')
})

test.each([
  ['no header', undefined, 'authentication required', 'unauthorized'],
  ['an empty header', '', 'authentication required', 'unauthorized'],
  ['Basic', 'Basic MTAwMTp4', 'invalid authorization header', 'invalid_authorization_header'],
  ['only Bearer', 'Bearer', 'invalid authorization header', 'invalid_authorization_header'],
  ['two tokens', 'Bearer a b', 'invalid authorization header', 'invalid_authorization_header'],
  ['a bare token', 'abc', 'invalid authorization header', 'invalid_authorization_header'],
])('%s: 401 in the words of the contract', async (_name, header, error, code) => {
  const { status, json } = await ask(header)
  expect([status, json.error, json.code]).toEqual([401, error, code])
})

test.each(['bearer', 'BEARER', 'BeArEr'])('the scheme may be written %s', async (scheme) => {
  expect((await ask(`${scheme} ${token}`)).status).toBe(200)
})

test('a token beyond what headers may hold is no 401, which would make the app forget everything', async () => {
  const { status } = await ask(`Bearer ${signJwt(SECRET, { ...good, pad: 'x'.repeat(20_000) })}`)
  expect(status).toBe(431)
})

test('a token that the previous secret signed is good, and no new one is signed with it', async () => {
  const old = signJwt(PREVIOUS, good)
  expect((await appOf(gateway, old)('GET', '/me')).status).toBe(200)
  expect(() => verifyJwt(PREVIOUS, token)).toThrow('the signature is wrong')
  const wrong = await ask(`Bearer ${signJwt(PREVIOUS, { ...good, ext_id: 0 })}`)
  expect([wrong.status, wrong.json.error]).toEqual([401, CLAIMS])
})

test('without a secret of its own it derives from the master key, on every node the same', async () => {
  await using cluster = await startTestGateway({ backend: 'postgres', workers: false, nodes: 2 })
  await givenExtension(cluster, '1001')
  const { json } = await logIn(cluster, '1001')
  for (const { url } of cluster.nodes) {
    const headers = { authorization: `Bearer ${json.data.token}` }
    expect((await cluster.request('GET', '/api/v1/app/me', { headers, base: url })).status).toBe(200)
  }
})
