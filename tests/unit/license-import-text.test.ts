import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { cleanErrorText } from '../../src/license/import/clean-error-text.ts'
import { newLicenseKey } from '../../src/license/license-key.ts'

const clean = (text: string, key = 'FPBX-8842-ALPHA-1177') => cleanErrorText(text, key)
const HEX = '6f1c0de5aa0b4c3d9e8f7a6b5c4d3e2f6f1c0de5aa0b4c3d9e8f7a6b5c4d3e2f'

test.each([
  'apns: BadDeviceToken (400)',
  'TooManyProviderTokenUpdates',
  'fcm: messaging/registration-token-not-registered',
  'dial tcp 10.0.0.5:443: connect: connection refused',
  'Post "https://fcm.googleapis.com": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
  '{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}',
  'lookup api.sandbox.push.apple.com: no such host',
  'Das Gerät ist nicht erreichbar 📵',
  '',
])('what people need stays: %s', (text) => {
  expect(clean(text)).toBe(text)
})

test.each([
  [`410 for ${HEX}`, '410 for [removed]'],
  [`https://api.push.apple.com/3/device/${HEX} failed`, 'https://api.push.apple.com/[removed] failed'],
  ['https://user:hunter2@proxy.example/x?token=abc', 'https://proxy.example/[removed]'],
  ['license FPBX-8842-ALPHA-1177 unknown', 'license [removed] unknown'],
  ['token=abc, key: def; Password = ghi', 'token=[removed] key: [removed] Password = [removed]'],
  ['Authorization: Bearer abc.def.ghi', 'Authorization: [removed] [removed]'],
  ['sent bearer abc', 'sent bearer [removed]'],
  ['eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJURUFNIn0.c2lnbmF0dXJl', '[removed]'],
  ['line one\r\n\tline\0two\u2028three', 'line one   line two three'],
])('what opens something goes: %s', (text, expected) => {
  expect(clean(text)).toBe(expected)
})

test('the key of the row goes, however short it is and whatever it looks like', () => {
  for (const key of ['a', 'short', '.*', '$&', 'Größe 🚀', ' ']) {
    expect(clean(`x${key}y`, key)).toBe('x[removed]y')
  }
  expect(clean('no key at all', '')).toBe('no key at all')
})

const words = fc.constantFrom(
  'error',
  'apns:',
  '410',
  '"quoted"',
  '(',
  ')',
  'für',
  '📵',
  ',',
  ':',
  '/',
  '\n',
  '\0',
  '\ud800',
  '',
)
const token = fc
  .oneof(
    fc.uint8Array({ minLength: 16, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('hex')),
    fc.uint8Array({ minLength: 16, maxLength: 128 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
    fc
      .uint8Array({ minLength: 16, maxLength: 128 })
      .map((bytes) => `c1:APA91b${Buffer.from(bytes).toString('base64url')}`),
    fc.uint8Array({ minLength: 16, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    fc.constant(0).map(() => newLicenseKey()),
    fc.constant(0).map(() => randomUUID()),
  )
  // Random bytes of a token are never all the same; those of a shrinking test are.
  .filter((text) => /[0-9]/.test(text) && /[A-Za-z]/.test(text) && new Set(text).size > 6)

test('whatever stands around a token, nothing of it stays', () => {
  fc.assert(
    fc.property(
      fc.array(words),
      token,
      fc.array(words),
      fc.constantFrom(' ', '', '"', '/', ':', '\n', '='),
      (before, secret, after, gap) => {
        const text = clean([...before, secret, ...after].join(gap))
        for (let at = 0; at + 12 <= secret.length; at += 1)
          expect(text).not.toContain(secret.slice(at, at + 12))
      },
    ),
    { numRuns: 3_000 },
  )
})

test('any text comes out well-formed, without control characters and with 500 letters at most', () => {
  const anything = fc.oneof(fc.string({ unit: 'binary', maxLength: 3_000 }), fc.string({ maxLength: 3_000 }))
  fc.assert(
    fc.property(anything, fc.string({ maxLength: 30 }), (text, key) => {
      const cleaned = clean(text, key)
      expect(cleaned.isWellFormed()).toBe(true)
      expect(cleaned).not.toMatch(/\p{Cc}/u)
      expect(Array.from(cleaned).length).toBeLessThanOrEqual(500)
    }),
    { numRuns: 1_000 },
  )
})

test('a text of megabytes takes no time to speak of', () => {
  for (const unit of ['a', '0', 'https://', 'token=', ' ', 'a1-', 'Aa', ':/']) {
    const started = performance.now()
    expect(clean(unit.repeat(1_000_000)).length).toBeLessThanOrEqual(1_000)
    expect(performance.now() - started).toBeLessThan(5_000)
  }
})
