import { newId } from '../../src/lib/ids.ts'
import { query } from '../support/databases.ts'
import {
  apnsToken,
  BACKENDS,
  callId,
  fcmToken,
  startTestGateway,
  type TestGateway,
} from '../support/gateway.ts'

describe.each(BACKENDS)('POST /v1/push/batch on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const send = (pushes: unknown, headers: Record<string, string> = {}) =>
    gateway.request('POST', '/v1/push/batch', {
      body: { license_key: gateway.tenant.licenseKey, pushes },
      headers,
    })
  const item = (id: string, change: Record<string, unknown> = {}) => ({
    id,
    kind: 'message',
    push_platform: 'fcm',
    push_token: fcmToken(),
    message_id: newId(),
    text: 'Hello',
    ...change,
  })
  const rows = async () =>
    (await query(gateway.database.url, 'SELECT count(*)::int AS n FROM push_logs'))[0]?.n as number

  test('takes 500, and tells of each where it is', async () => {
    const pushes = Array.from({ length: 500 }, (_, i) => item(`item-${i}`, { text: 'x'.repeat(3_000) }))
    const answer = await send(pushes)
    expect(answer.status).toBe(202)
    expect(answer.json.data.accepted).toBe(500)
    expect(answer.json.data.results.map(({ id }: { id: string }) => id)).toEqual(pushes.map(({ id }) => id))
    const ids: string[] = answer.json.data.results.map(({ push_id }: { push_id: string }) => push_id)
    expect(new Set(ids).size).toBe(500)
    const ends = await Promise.all([ids[0], ids[499]].map((id) => gateway.ended(String(id), 20_000)))
    expect(ends.every(({ delivered }) => delivered)).toBe(true)
  })

  test('refuses 501, none, and what is no list', async () => {
    const before = await rows()
    const many = await send(Array.from({ length: 501 }, (_, i) => item(`${i}`)))
    expect([many.status, many.json.field, many.json.error]).toEqual([
      400,
      'pushes',
      'pushes must have at most 500 items',
    ])
    expect((await send([])).json).toMatchObject({ field: 'pushes', error: 'pushes must not be empty' })
    expect((await send(undefined)).json).toMatchObject({ field: 'pushes', error: 'pushes is required' })
    expect((await send({})).json).toMatchObject({ field: 'pushes', error: 'pushes must be a list' })
    expect((await send([5])).json).toMatchObject({ field: 'pushes.0', error: 'invalid request body' })
    expect((await send([{ kind: 'message' }])).json).toMatchObject({
      field: 'pushes.0.id',
      error: 'id is required',
    })
    expect(await rows()).toBe(before)
  })

  test('refuses an id that is there twice, and takes none of them', async () => {
    const before = await rows()
    const answer = await send([item('a'), item('b'), item('a')])
    expect([answer.status, answer.json.field]).toEqual([400, 'pushes.2.id'])
    expect(answer.json.error).toBe('each id may be there only once')
    expect(await rows()).toBe(before)
  })

  test('judges each item by itself', async () => {
    const answer = await send([
      item('good'),
      item('no text', { text: undefined }),
      item('bad token', { push_platform: 'apns', push_token: 'zz' }),
      item('key of ours', { data: { aps: 'x' } }),
      { id: 'a call', push_platform: 'apns', push_token: apnsToken(), call_id: callId() },
      item('a licence key', { license_key: 'x' }),
    ])
    expect(answer.status).toBe(202)
    expect(answer.json.data).toMatchObject({
      accepted: 2,
      results: [
        { id: 'good', status: 'queued' },
        {
          id: 'no text',
          status: 'refused',
          code: 'invalid_request',
          field: 'text',
          error: 'text is required',
        },
        { id: 'bad token', status: 'refused', code: 'malformed_token', field: 'push_token' },
        { id: 'key of ours', status: 'refused', field: 'data.aps' },
        { id: 'a call', status: 'queued' },
        { id: 'a licence key', status: 'refused', field: 'license_key' },
      ],
    })
    const call = answer.json.data.results[4].push_id
    expect(await gateway.ended(call)).toMatchObject({ delivered: true, kind: 'call' })
  })

  test('a fault of ours costs the item that met it, and no other', async () => {
    const { fcm } = gateway.context.providers
    const { check } = fcm
    const [good, bad] = [item('good'), item('bad')]
    fcm.check = (push) => {
      if (push.token === bad.push_token) throw new TypeError('a defect')
      return check(push)
    }
    const answer = await send([bad, good]).finally(() => Object.assign(fcm, { check }))
    expect(answer.status).toBe(202)
    expect(answer.json.data).toMatchObject({
      accepted: 1,
      results: [
        { id: 'bad', status: 'refused', code: 'internal', error: 'internal error' },
        { id: 'good', status: 'queued' },
      ],
    })
    expect(await gateway.ended(answer.json.data.results[1].push_id)).toMatchObject({ delivered: true })
  })

  test('the same key and items again are the same pushes', async () => {
    const headers = { 'idempotency-key': newId() }
    const pushes = [item('one'), item('two')]
    const [first, again] = [await send(pushes, headers), await send(pushes, headers)]
    expect(again.json.data).toEqual(first.json.data)
    const changed = await send([pushes[0], { ...pushes[1], text: 'other' }], headers)
    expect(changed.json.data.results[0]).toEqual(first.json.data.results[0])
    expect(changed.json.data.results[1]).toMatchObject({ status: 'refused', code: 'idempotency_conflict' })
  })

  test('needs a licence', async () => {
    const body = { pushes: [item('a')] }
    expect((await gateway.request('POST', '/v1/push/batch', { body })).json.code).toBe('license_key_required')
    const wrong = await gateway.request('POST', '/v1/push/batch', { body: { ...body, license_key: 'WL-NO' } })
    expect([wrong.status, wrong.json.code]).toEqual([403, 'KEY_MISTYPED'])
  })
})
