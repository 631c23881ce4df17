import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { newSecret, sign } from '../../src/webhooks/signature.ts'

test('a known message has a known signature', () => {
  // echo -n '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_test
  expect(sign('{"a":1}', ['whsec_test'], 1_700_000_000_999)).toBe(
    't=1700000000,v1=38877139021993b830af32feea6e18a8da83eb2f6e49ee50bd9e4cf4ca4d3789',
  )
})

test('there is one signature per secret, over the time and the body', () => {
  const text = fc.string({ unit: 'grapheme' })
  fc.assert(
    fc.property(text, fc.array(text, { minLength: 1, maxLength: 2 }), fc.nat(), (body, secrets, seconds) => {
      const [time, ...signatures] = sign(body, secrets, seconds * 1_000).split(',')
      expect(time).toBe(`t=${seconds}`)
      expect(signatures).toEqual(
        secrets.map(
          (secret) => `v1=${createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex')}`,
        ),
      )
    }),
  )
})

test('secrets are recognisable, long and never the same', () => {
  const secrets = Array.from({ length: 100 }, newSecret)
  for (const secret of secrets) expect(secret).toMatch(/^whsec_[\w-]{43}$/)
  expect(new Set(secrets).size).toBe(100)
})
