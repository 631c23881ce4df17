import { randomBytes } from 'node:crypto'
import { logIn, signJwt, verifyJwt } from '../support/app-login.ts'
import { until } from '../support/conditions.ts'
import {
  type FlowpbxPerson,
  flowpbxApp,
  givenFlowpbxPeople,
  logInPerson,
  RECORDING,
} from '../support/flowpbx-people.ts'
import { apnsToken, BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'

const SECRET = randomBytes(32).toString('hex')

/** The conformance checklist of FlowPBX's wire contract, point by point: what its app asks. */
describe.each(BACKENDS)('FlowPBX’s checklist on %s: the app', (backend) => {
  let gateway: TestGateway
  let people: Awaited<ReturnType<typeof givenFlowpbxPeople>>
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, env: { APP_JWT_SECRET: SECRET, RATE_LIMITS: 'off' } })
    people = await givenFlowpbxPeople(gateway)
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  test('5: the JWT of a login verifies with HS256 and the same hex secret, and its claims have their types', async () => {
    const { status, json } = await logIn(gateway, '1001')
    expect(status).toBe(200)
    const { token, expires_at, extension } = json.data
    const { header, claims } = verifyJwt(SECRET, token)
    expect(header).toMatchObject({ alg: 'HS256' })
    expect(() => verifyJwt(randomBytes(32).toString('hex'), token)).toThrow('the signature is wrong')

    const names = ['ext_id', 'ext', 'iss', 'sub', 'iat', 'exp']
    expect(names.map((name) => `${name} ${typeof claims[name]}`)).toEqual([
      ...['ext_id number', 'ext string', 'iss string', 'sub string', 'iat number', 'exp number'],
    ])
    for (const whole of [claims.ext_id, claims.iat, claims.exp]) expect(Number.isInteger(whole)).toBe(true)
    expect(claims).toMatchObject({ ext_id: extension.id, ext: '1001', iss: 'flowpbx', sub: '1001' })
    expect(claims.ext_id).toBeGreaterThan(0)
    expect(claims.exp - claims.iat).toBe(604_800)
    expect(Date.parse(expires_at)).toBe(claims.exp * 1_000)

    // The other way round: what Go would sign with it is let in.
    const me = await flowpbxApp(gateway, `Bearer ${signJwt(SECRET, claims)}`)('GET', '/app/me')
    expect([me.status, me.json.data.id]).toEqual([200, claims.ext_id])
  })

  test('7: voicemail and directory are bare arrays under data, history is a page', async () => {
    const { ada, grace, message } = people
    const bare = async ({ ask }: FlowpbxPerson, path: string) => {
      const { status, json } = await ask('GET', path)
      expect([path, status, Object.keys(json), Array.isArray(json.data)]).toEqual([path, 200, ['data'], true])
      return json.data
    }
    expect(await bare(ada, '/app/voicemail')).toMatchObject([{ id: message, read: expect.any(Boolean) }])
    expect(await bare(grace, '/app/voicemail')).toEqual([])
    expect(await bare(ada, '/app/directory')).toMatchObject([
      { extension: '1001', name: 'Ada', online: false },
      { extension: '1002', name: 'Grace', online: false },
    ])

    const page = async ({ ask }: FlowpbxPerson, query: string) => {
      const { status, json } = await ask('GET', `/app/history${query}`)
      expect([status, Object.keys(json)]).toEqual([200, ['data']])
      return json.data
    }
    const [begun, answered] = [{ call_id: 'begun@10.0.0.5' }, { call_id: 'answered@10.0.0.5' }]
    const both = [expect.objectContaining(begun), expect.objectContaining(answered)]
    expect(await page(ada, '')).toEqual({ items: both, total: 2, limit: 20, offset: 0 })
    // As the app asks, and again for what is missing.
    expect(await page(ada, '?limit=50&offset=0')).toEqual({ items: both, total: 2, limit: 50, offset: 0 })
    expect(await page(ada, '?limit=50&offset=1')).toEqual({
      ...{ items: both.slice(1), total: 2, limit: 50, offset: 1 },
    })
    expect(await page(grace, '?limit=50&offset=0')).toEqual({ items: [], total: 0, limit: 50, offset: 0 })
  })

  test('8: follow_me_numbers is an array of strings, however the PBX has told them', async () => {
    const { ada, grace, pbx } = people
    const follow_me_destinations = [
      { number: '+49301234567', delay: 5, timeout: 30 },
      { number: '1002', delay: 0, timeout: 20 },
    ]
    await pbx.change('1001', { follow_me_destinations })
    const numbers = ['+49301234567', '1002']
    const answers = {
      login: (await logIn(gateway, '1001')).json.data.extension,
      read: (await ada.ask('GET', '/app/me')).json.data,
      changed: (await ada.ask('PUT', '/app/me', { follow_me_enabled: true })).json.data,
    }
    for (const [where, me] of Object.entries(answers)) {
      expect([where, me.follow_me_numbers]).toEqual([where, numbers])
    }
    // Nobody's numbers are an empty array, and no null.
    expect((await grace.ask('GET', '/app/me')).json.data.follow_me_numbers).toEqual([])
  })

  test('9: push-token takes token and platform, moves a token to a second extension, and takes 4096 characters', async () => {
    /** On a phone of its own, or on one where somebody else was logged in. */
    const register = async (extension: string, platform: 'apns' | 'fcm', token: string) => {
      const { ask } = await logInPerson(gateway, extension)
      const { status, json } = await ask('POST', '/app/push-token', { token, platform })
      expect([status, json]).toEqual([200, { data: { status: 'ok' } }])
    }
    const { apns, fcm } = gateway.simulators
    const rings = (token: string) =>
      [...apns.received, ...fcm.received].filter((push) => push.token === token).length
    const rung = (token: string, times: number) =>
      until(() => rings(token) === times, { description: `the phone has rung ${times} times` })

    const token = apnsToken()
    await register('1001', 'apns', token)
    await gateway.call('1001', { wait: 0 })
    await rung(token, 1)
    await register('1002', 'apns', token)
    const { json } = await gateway.call('1001', { wait: 1 })
    expect(json.data).toMatchObject({ outcome: 'no_device', pushes: [] })
    await gateway.call('1002', { wait: 0 })
    await rung(token, 2)

    const longest = randomBytes(2_048).toString('hex')
    expect(longest).toHaveLength(4_096)
    await register('1001', 'fcm', longest)
    await gateway.call('1001', { wait: 0 })
    await rung(longest, 1)
    await register('1001', 'apns', longest)
  })

  test('10: of a recording Range bytes=0-1 is a 206 of two bytes of WAV, for its owner alone', async () => {
    const { ada, grace, eve, message } = people
    const audio = async (headers: Record<string, string>, id = message) => {
      const response = await fetch(`${gateway.url}/api/v1/app/voicemail/${id}/audio`, { headers })
      return {
        status: response.status,
        bytes: Buffer.from(await response.arrayBuffer()),
        header: (name: string) => response.headers.get(name),
      }
    }
    const { authorization } = ada
    const part = await audio({ authorization, range: 'bytes=0-1' })
    expect(part.status).toBe(206)
    expect(part.bytes).toEqual(RECORDING.subarray(0, 2))
    expect(['content-type', 'content-length', 'content-range', 'accept-ranges'].map(part.header)).toEqual([
      ...['audio/wav', '2', `bytes 0-1/${RECORDING.length}`, 'bytes'],
    ])
    const whole = await audio({ authorization })
    expect(whole.status).toBe(200)
    expect(whole.bytes.equals(RECORDING)).toBe(true)
    expect(['content-type', 'content-length'].map(whole.header)).toEqual([
      ...['audio/wav', String(RECORDING.length)],
    ])

    for (const range of ['bytes=0-1', 'bytes=0-']) {
      const nobody = await audio({ range })
      expect(nobody.status).toBe(401)
      expect(JSON.parse(nobody.bytes.toString())).toMatchObject({ error: 'authentication required' })
      const foreign = [
        await audio({ authorization: grace.authorization, range }),
        await audio({ authorization: eve.authorization, range }),
        await audio({ authorization, range }, message + 1_000_000),
      ]
      for (const { status, bytes } of foreign) {
        expect(status).toBe(404)
        expect(JSON.parse(bytes.toString())).toMatchObject({
          data: null,
          error: 'voicemail message not found',
        })
      }
    }
  })

  test('11: PUT /app/voicemail/{id}/read that is said to be JSON and has no bytes is 200', async () => {
    const { ada, message } = people
    for (const body of ['', undefined]) {
      const { status, json } = await ada.ask('PUT', `/app/voicemail/${message}/read`, body)
      expect(status).toBe(200)
      expect(json.data).toMatchObject({ id: message, read: true, read_at: expect.stringMatching(/Z$/) })
      expect((await ada.ask('GET', '/app/voicemail')).json.data).toMatchObject([{ id: message, read: true }])
      await ada.ask('PUT', `/app/voicemail/${message}/unread`)
    }
  })
})
