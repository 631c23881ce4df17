import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type Exchange, faultOf } from '../support/signed-answers.ts'

const newNonce = () => randomBytes(16).toString('base64url')

/** The three questions about a licence, each with a nonce where it belongs. */
const QUESTIONS = {
  validate: { method: 'POST', path: '/v1/license/validate', body: {} },
  activate: { method: 'POST', path: '/v1/license/activate', body: { hostname: 'pbx1' } },
  status: { method: 'GET', path: '/v1/license/status', body: undefined },
} as const
type Question = keyof typeof QUESTIONS

async function ask(gateway: TestGateway, question: Question, nonce: string, key: string): Promise<Exchange> {
  const { method, path, body } = QUESTIONS[question]
  const answer =
    body === undefined
      ? await gateway.request(method, `${path}?nonce=${nonce}`, { headers: { 'x-license-key': key } })
      : await gateway.request(method, path, { body: { ...body, license_key: key, nonce } })
  return { method, path, nonce, key, status: answer.status, headers: answer.headers, text: answer.text }
}

async function publicKeyOf(gateway: TestGateway): Promise<string> {
  const { json } = await gateway.request('GET', '/v1/license/public-key')
  return json.data.pem
}

const questions = Object.keys(QUESTIONS) as Question[]

describe.each(BACKENDS)('signed answers on %s', (backend) => {
  test.each(questions)('%s: a client proves the answer, whether that is yes or no', async (question) => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const pem = await publicKeyOf(gateway)
    const good = await ask(gateway, question, newNonce(), gateway.tenant.licenseKey)
    expect(good.status).toBe(200)
    expect(faultOf(good, pem)).toBeUndefined()
    const wrong = await ask(gateway, question, newNonce(), 'a-key-of-nobody')
    expect(wrong.status).toBe(question === 'activate' ? 403 : 404)
    expect(faultOf(wrong, pem)).toBeUndefined()
  })

  test('nothing of an answer can be changed, and an old one answers no other question', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const pem = await publicKeyOf(gateway)
    const { licenseKey } = gateway.tenant
    const good = await ask(gateway, 'validate', newNonce(), licenseKey)
    const status = await ask(gateway, 'status', newNonce(), licenseKey)
    const wrong = await ask(gateway, 'validate', newNonce(), 'a-key-of-nobody')
    expect(faultOf({ ...good, nonce: newNonce() }, pem)).toBe('it answers another question')
    expect(faultOf({ ...good, status: 404 }, pem)).toBe('the signature is wrong')
    expect(faultOf({ ...good, method: 'GET' }, pem)).toBe('the signature is wrong')
    expect(faultOf({ ...good, path: '/v1/license/activate' }, pem)).toBe('the signature is wrong')
    expect(faultOf({ ...wrong, status: 200, text: good.text }, pem)).toBe(
      'the body is not the one that was signed',
    )
    // With the headers of another answer, its digest too, it is that other answer.
    expect(faultOf({ ...wrong, headers: good.headers, text: good.text }, pem)).toBe(
      'it answers another question',
    )
    expect(faultOf({ ...good, headers: status.headers }, pem)).toBe('it answers another question')
    const relabelled = new Headers(good.headers)
    relabelled.set(
      'signature-input',
      (good.headers.get('signature-input') ?? '').replace(good.nonce, wrong.nonce),
    )
    expect(faultOf({ ...good, nonce: wrong.nonce, headers: relabelled }, pem)).toBe('the signature is wrong')
    const other = new Headers(good.headers)
    other.set('content-digest', wrong.headers.get('content-digest') ?? '')
    expect(faultOf({ ...good, text: wrong.text, headers: other }, pem)).toBe('the signature is wrong')

    const changed = fc.tuple(fc.nat(good.text.length - 1), fc.string({ minLength: 1, maxLength: 1 }))
    fc.assert(
      fc.property(changed, ([at, letter]) => {
        fc.pre(good.text[at] !== letter)
        const text = good.text.slice(0, at) + letter + good.text.slice(at + 1)
        expect(faultOf({ ...good, text }, pem)).toBeDefined()
      }),
    )
    expect(faultOf(good, pem)).toBeUndefined()
  })

  test.each(questions)('%s: an answer about one key is none about another', async (question) => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const pem = await publicKeyOf(gateway)
    const [mine, his] = [gateway.tenant.licenseKey, (await gateway.otherTenant()).licenseKey]
    // Who is on the way asks about his own key with my nonce, and hands me the answer.
    const answer = await ask(gateway, question, newNonce(), his)
    expect(faultOf(answer, pem)).toBeUndefined()
    expect(faultOf({ ...answer, key: mine }, pem)).toBe('it is about another key')
    const relabelled = new Headers(answer.headers)
    const own = await ask(gateway, question, newNonce(), mine)
    relabelled.set('license-key-digest', own.headers.get('license-key-digest') ?? '')
    expect(faultOf({ ...answer, key: mine, headers: relabelled }, pem)).toBe('the signature is wrong')
  })

  test('faults of the request, a lack of a key and text for a dialplan are signed, too', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const pem = await publicKeyOf(gateway)
    const path = '/v1/license/activate'
    const nonce = newNonce()
    const license_key = gateway.tenant.licenseKey
    for (const [body, status] of [
      [{ nonce }, 400],
      [{ nonce, license_key }, 400],
      [{ nonce, license_key, hostname: 5 }, 400],
      [{ nonce, license_key, hostname: 'pbx1', whatever: true }, 400],
    ] as const) {
      const answer = await gateway.request('POST', path, { body })
      expect(answer.status).toBe(status)
      const key = 'license_key' in body ? body.license_key : ''
      expect(faultOf({ ...answer, method: 'POST', path, nonce, key }, pem)).toBeUndefined()
    }
    const headers = { accept: 'text/plain' }
    const text = await gateway.request('POST', path, { body: { nonce }, headers })
    expect(text.text).toMatch(/^error /)
    expect(faultOf({ ...text, method: 'POST', path, nonce, key: '' }, pem)).toBeUndefined()
    // The path is signed as the client asked for it.
    const doubled = await gateway.request('POST', `/${path}`, {
      body: { license_key, hostname: 'pbx1', nonce },
    })
    expect(doubled.status).toBe(200)
    const asked = { method: 'POST', path, nonce, key: license_key }
    expect(faultOf({ ...doubled, ...asked, path: `/${path}` }, pem)).toBeUndefined()
    expect(faultOf({ ...doubled, ...asked }, pem)).toBe('the signature is wrong')
  })

  test('no nonce, no signature; and one that is none is refused', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const license_key = gateway.tenant.licenseKey
    const signatureOf = (headers: Headers) =>
      ['signature', 'signature-input', 'content-digest'].map((name) => headers.get(name))
    const none = [null, null, null]
    const plain = await gateway.request('POST', '/v1/license/validate', { body: { license_key } })
    expect([plain.status, ...signatureOf(plain.headers)]).toEqual([200, ...none])
    for (const nonce of [
      '',
      'short',
      'a'.repeat(129),
      'with space',
      'quote"quote',
      'line\nbreak',
      'ümlaut-ümlaut',
      5,
      null,
      [],
    ]) {
      const answer = await gateway.request('POST', '/v1/license/validate', { body: { license_key, nonce } })
      expect({ nonce, status: answer.status, field: answer.json.field }).toEqual({
        nonce,
        status: 400,
        field: 'nonce',
      })
      expect(signatureOf(answer.headers)).toEqual(none)
    }
    const query = await gateway.request('GET', '/v1/license/status?nonce=no%0Anonce&nonce=two-of-them', {
      headers: { 'x-license-key': license_key },
    })
    expect([query.status, ...signatureOf(query.headers)]).toEqual([400, ...none])
  })
})

test('each node signs with the same key, and another gateway with another', async () => {
  await using gateway = await startTestGateway({ backend: 'postgres', workers: false, nodes: 2 })
  const pem = await publicKeyOf(gateway)
  for (const { url } of gateway.nodes) {
    const nonce = newNonce()
    const body = { license_key: gateway.tenant.licenseKey, nonce }
    const path = '/v1/license/validate'
    const answer = await gateway.request('POST', path, { body, base: url })
    const key = body.license_key
    expect(faultOf({ ...answer, method: 'POST', path, nonce, key }, pem)).toBeUndefined()
  }
  await using other = await startTestGateway({ backend: 'postgres', workers: false })
  const foreign = await ask(other, 'validate', newNonce(), other.tenant.licenseKey)
  expect(faultOf(foreign, pem)).toBe('another key signed it')
})
