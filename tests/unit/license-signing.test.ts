import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAnswerSigner } from '../../src/license/answer-signature.ts'
import { createLicenseSigning } from '../../src/license/license-signing.ts'
import { type Exchange, faultOf } from '../support/signed-answers.ts'

/** The key of RFC 8037 appendix A. */
const signing = createLicenseSigning({
  seed: Buffer.from('nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', 'base64url'),
})
const clock = { now: () => Date.UTC(2026, 10, 21, 12), monotonic: () => 0 }
const sign = createAnswerSigner(signing, clock)
const key = 'WL-7XK2MA-8V71D8-67MJ5J-AEVR4Q-0P3ZTC-W5N9H2'
const request = { method: 'POST', path: '/v1/license/validate', query: {}, key }

test('the example of the docs is proven, and is what is made today', () => {
  const docs = readFileSync(join(import.meta.dirname, '../../docs/licenses.md'), 'utf8')
  const [, block = ''] = /^```\nHTTP\/1\.1 (200 OK\n[\s\S]*?)\n```$/m.exec(docs) ?? []
  const [head = '', text = ''] = block.split('\n\n')
  const headers = new Headers(
    head
      .split('\n')
      .slice(1)
      .map((line) => line.split(/: (.*)/).slice(0, 2) as [string, string]),
  )
  const nonce = '3q2-7wAhZkKb9tLr0V4x1g'
  const answer: Exchange = { ...request, nonce, status: 200, headers, text }
  expect(faultOf(answer, signing.publicKeyPem())).toBeUndefined()
  for (const [name, value] of Object.entries(sign({ ...request, body: { nonce } }, { status: 200, text }))) {
    expect(headers.get(name)).toBe(value)
    // Line for line as the docs tell clients to put it together.
    if (name === 'Signature-Input')
      expect(docs).toContain(`"@signature-params": ${value.replace('wakeline=', '')}`)
  }
})

test.each([
  [{ nonce: 'nonce-of-the-body' }, { nonce: 'nonce-of-the-query' }, 'nonce-of-the-body'],
  [{}, { nonce: 'nonce-of-the-query' }, 'nonce-of-the-query'],
  [undefined, { nonce: 'nonce-of-the-query' }, 'nonce-of-the-query'],
  [null, null, undefined],
  ['nonce', [], undefined],
  [{ nonce: 'with "quotes"' }, {}, undefined],
  [{ nonce: 'line\nbreak-line-break' }, {}, undefined],
  [{ nonce: 12_345_678 }, { nonce: ['a-list-of-them', 'a-list-of-them'] }, undefined],
])('of %j and %j the nonce is taken, if there is one', (body, query, nonce) => {
  const headers = sign({ ...request, body, query }, { status: 404, text: '' })
  if (nonce === undefined) expect(headers).toEqual({})
  else expect(headers['Signature-Input']).toContain(`;nonce="${nonce}"`)
})
