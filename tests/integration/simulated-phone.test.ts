import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AcceptedPush, createPushListeners } from '../../src/simulators/push-listeners.ts'
import { createSimulatedPhone, type PhoneBehaviour, type Ring } from '../../src/simulators/simulated-phone.ts'

const TOKEN = 'ab'.repeat(32)
const CALL = '0f8fad5b-d9cb-469f-a165-70867728950e'
const OTHER_CALL = '7c9e6679-7425-40de-944b-e07fc1f90ae7'

interface Arrived {
  path: string | undefined
  method: string | undefined
  authorization: string | undefined
  body: Record<string, unknown>
}

let wakeline: Server
let url: string
let arrived: Arrived[]
let status: number
let arrivals: EventTarget

beforeAll(async () => {
  wakeline = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const { url: path, method, headers } = request
      arrived.push({ path, method, authorization: headers.authorization, body: JSON.parse(text) })
      response.writeHead(status).end('{}')
      arrivals.dispatchEvent(new Event('arrived'))
    })
  })
  wakeline.listen(0, '127.0.0.1')
  await once(wakeline, 'listening')
  url = `http://127.0.0.1:${(wakeline.address() as AddressInfo).port}`
})

beforeEach(() => {
  arrived = []
  status = 200
  arrivals = new EventTarget()
})

afterAll(() => {
  wakeline.closeAllConnections()
  wakeline.close()
})

function setUp(behaviour: PhoneBehaviour, platform: 'apns' | 'fcm' = 'apns', apiUrl = url, token = TOKEN) {
  const source = createPushListeners<AcceptedPush>()
  const declined: Ring[] = []
  const failure = Promise.withResolvers<Error>()
  const phone = createSimulatedPhone(
    {
      platform,
      token,
      behaviour,
      api: { url: apiUrl, pbxKey: 'pbx-key', extension: '1001', deviceId: 'device-1' },
      onError: failure.resolve,
      onDecline: (ring) => declined.push(ring),
    },
    source,
  )
  const push = (payload: Record<string, unknown>, changes: Partial<AcceptedPush> = {}) =>
    source.emit({
      token,
      at: 1,
      payload: { type: 'incoming_call', caller_id: '2002', ...payload },
      ...(platform === 'apns' && { topic: 'com.example.wakeline.voip' }),
      ...changes,
    })
  return { phone, push, declined, failed: failure.promise }
}

/** Resolves when the phone has what the condition asks for; looked at whenever the event loop turns. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the condition was not met within 5 s')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a push rings and registers the contact with its push parameters', async () => {
  const { phone, push } = setUp({ registersAfterMs: 0 })
  push({ call_id: CALL })
  await until(() => phone.registrations.length === 1)
  expect(arrived).toEqual([
    {
      path: '/api/v1/pbx/registrations',
      method: 'POST',
      authorization: 'Bearer pbx-key',
      body: {
        extension: '1001',
        device_id: 'device-1',
        contact: `<sip:1001@127.0.0.1:5060;transport=tls;pn-provider=apns;pn-prid=${TOKEN}>`,
        expires: 300,
      },
    },
  ])
  expect(phone.rang).toEqual([{ callUuid: CALL, callerId: '2002', at: expect.any(Number) }])
  expect(phone.registrations).toMatchObject([{ callUuid: CALL, status: 200 }])
  phone.close()
})

test('with 0 ms the request starts in the tick of the push', async () => {
  const { phone, push } = setUp({ registersAfterMs: 0 })
  const fetched: unknown[] = []
  const original = globalThis.fetch
  globalThis.fetch = async (input) => {
    fetched.push(input)
    return new Response()
  }
  try {
    push({ call_id: CALL })
    expect(fetched).toHaveLength(1)
  } finally {
    globalThis.fetch = original
    phone.close()
  }
})

test('a call rings once however often it is pushed, another call rings again', async () => {
  const { phone, push } = setUp({ registersAfterMs: 0 })
  push({ call_id: CALL })
  push({ call_id: CALL.toUpperCase() })
  push({ call_id: CALL })
  push({ call_id: OTHER_CALL })
  await until(() => phone.registrations.length === 2)
  expect(phone.rang.map(({ callUuid }) => callUuid)).toEqual([CALL, OTHER_CALL])
  expect(phone.duplicates).toBe(2)
  phone.close()
})

test('without a UUID every push rings, as CallKit would', () => {
  const { phone, push } = setUp({ registersAfterMs: 'never' })
  push({ call_id: 'a84b4c76e66710@10.0.0.5' })
  push({ call_id: 'a84b4c76e66710@10.0.0.5' })
  expect(phone.rang).toHaveLength(2)
  expect(phone.duplicates).toBe(0)
  phone.close()
})

test('a phone that never registers still rings', () => {
  const { phone, push } = setUp({ registersAfterMs: 'never' })
  push({ call_id: CALL })
  expect(phone.rang).toHaveLength(1)
  expect(arrived).toEqual([])
  phone.close()
})

test('a phone whose user declines rings, says so, and does not register', () => {
  const { phone, push, declined } = setUp({ registersAfterMs: 0, declines: true })
  push({ call_id: CALL })
  expect(declined).toMatchObject([{ callUuid: CALL }])
  expect(arrived).toEqual([])
  phone.close()
})

test('registers after its delay, and not at all when it was switched off before', async () => {
  const slow = setUp({ registersAfterMs: 30 })
  const off = setUp({ registersAfterMs: 10 })
  const started = performance.now()
  off.push({ call_id: CALL })
  off.phone.close()
  slow.push({ call_id: OTHER_CALL })
  await until(() => slow.phone.registrations.length === 1)
  expect(performance.now() - started).toBeGreaterThanOrEqual(25)
  expect(off.phone.registrations).toEqual([])
  expect(arrived).toHaveLength(1)
  slow.phone.close()
})

test('rings for its own token only', () => {
  const { phone, push } = setUp({ registersAfterMs: 'never' })
  push({ call_id: CALL }, { token: 'cd'.repeat(32) })
  expect(phone.rang).toEqual([])
  phone.close()
})

test('iOS rings for VoIP pushes, whatever their type; Android for the type', () => {
  const ios = setUp({ registersAfterMs: 'never' })
  ios.push({ call_id: CALL, type: 'call_cancelled' })
  ios.push({ call_id: OTHER_CALL }, { topic: 'com.example.wakeline' })
  expect(ios.phone.rang.map(({ callUuid }) => callUuid)).toEqual([CALL])
  const android = setUp({ registersAfterMs: 'never' }, 'fcm')
  android.push({ call_id: CALL, type: 'call_cancelled' })
  android.push({ call_id: OTHER_CALL })
  expect(android.phone.rang.map(({ callUuid }) => callUuid)).toEqual([OTHER_CALL])
  ios.phone.close()
  android.phone.close()
})

test('a token goes into the contact as SIP allows it', async () => {
  const { phone, push } = setUp({ registersAfterMs: 0 }, 'fcm', url, 'fJ3:APA91b_x-y;z>w')
  push({ call_id: CALL })
  await until(() => phone.registrations.length === 1)
  expect(arrived[0]?.body.contact).toBe(
    '<sip:1001@127.0.0.1:5060;transport=tls;pn-provider=fcm;pn-prid=fJ3:APA91b_x-y%3Bz%3Ew>',
  )
  phone.close()
})

describe('a registration that fails is told', () => {
  test('when it is refused', async () => {
    status = 401
    const { phone, push, failed } = setUp({ registersAfterMs: 0 })
    push({ call_id: CALL })
    expect((await failed).message).toBe('registration of 1001 answered 401')
    expect(phone.registrations).toMatchObject([{ status: 401 }])
    expect(phone.errors).toMatchObject([{ message: 'registration of 1001 answered 401' }])
    phone.close()
  })

  test('when nobody answers', async () => {
    const { phone, push, failed } = setUp({ registersAfterMs: 0 }, 'apns', 'http://127.0.0.1:1')
    push({ call_id: CALL })
    expect((await failed).message).toBe('registration of 1001 did not reach http://127.0.0.1:1')
    expect(phone.registrations).toMatchObject([{ status: 0 }])
    phone.close()
  })
})
