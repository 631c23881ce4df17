import { writeFile } from 'node:fs/promises'
import { until } from '../support/conditions.ts'
import { BACKENDS } from '../support/gateway.ts'
import { opus, wav } from '../support/recordings.ts'
import { startVoicemail } from '../support/voicemail.ts'

/** From the PBX to the phones: a message, its push, its recording, and the number on the icon. */

/** As FlowPBX gives times: RFC 3339 without fractions. */
const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

describe.each(BACKENDS)('voicemail on %s', (backend) => {
  test('a message reaches the phones of its owner, is heard, and the icon follows', async () => {
    await using own = await startVoicemail({ backend })
    const owner = await own.givenOwner('100')
    const colleague = await own.givenOwner('101')
    const [phones, others] = [await own.givenPhones('100'), await own.givenPhones('101')]
    expect((await own.box('100', ['100'])).status).toBe(200)
    expect((await own.box('sales', ['100', '101'], { name: 'Sales' })).status).toBe(200)

    const first = await own.upload({
      box: '100',
      external_id: 'a-1',
      caller_id_name: 'Ada',
      caller_id_num: '0301234567',
      timestamp: '2026-11-20T10:00:00+01:00',
      transcription: 'Call me back.',
    })
    expect(first.status).toBe(201)
    const recording = opus({ seconds: 9 })
    const second = await own.upload({ box: 'sales', external_id: 's-1' }, recording)
    expect(second.status).toBe(201)
    expect(second.json.data).toMatchObject({ media_type: 'audio/ogg', duration: 9, box: 'sales' })

    // A push per message and device, none at the token for calls, each with the number that is right for its owner.
    const pushes = await until(
      () => {
        const { apns, fcm } = own.pushesTo(phones)
        return apns.length === 2 && fcm.length === 2 ? { apns, fcm } : undefined
      },
      { description: 'both phones have heard of both messages' },
    )
    const badgeOf = ({ payload }: { payload: unknown }) => (payload as { aps: { badge: number } }).aps.badge
    expect(pushes.apns.map(badgeOf).sort()).toEqual([1, 2])
    expect(pushes.fcm.map(({ payload }) => [payload.type, payload.badge]).sort()).toEqual([
      ['voicemail', '1'],
      ['voicemail', '2'],
    ])
    expect(pushes.fcm.map(({ payload }) => payload.voicemail_id).sort()).toEqual(
      [first, second].map(({ json }) => String(json.data.id)).sort(),
    )
    expect(own.pushesTo(phones).voip).toEqual([])
    await until(() => own.pushesTo(others).apns.length === 1, { description: 'the colleague has his push' })
    expect(own.pushesTo(others).apns.map(badgeOf)).toEqual([1])

    // The list is a bare array, with the keys and types of the contract.
    const { json: list } = await owner.app('GET', '/voicemail')
    expect(list.data).toHaveLength(2)
    expect(list.data[0]).toEqual({
      id: first.json.data.id,
      mailbox_id: expect.any(Number),
      caller_id_name: 'Ada',
      caller_id_num: '0301234567',
      timestamp: '2026-11-20T09:00:00Z',
      duration: 2,
      read: false,
      read_at: null,
      transcription: 'Call me back.',
      created_at: expect.stringMatching(SECONDS),
    })
    expect(list.data[1]).not.toHaveProperty('transcription')
    expect((await colleague.app('GET', '/voicemail')).json.data).toHaveLength(1)

    // Read with an empty body that is said to be JSON: by everybody who shares the box.
    const { id } = second.json.data
    const json = { 'content-type': 'application/json' }
    const read = await owner.app('PUT', `/voicemail/${id}/read`, json)
    expect(read.status).toBe(200)
    expect(read.json.data).toMatchObject({ id, read: true, read_at: expect.stringMatching(SECONDS) })
    const again = await colleague.app('PUT', `/voicemail/${id}/read`, json)
    expect(again.json.data.read_at).toBe(read.json.data.read_at)
    await until(() => own.pushesTo(phones).apns.length === 3 && own.pushesTo(others).apns.length === 2, {
      description: 'the icons have heard of it',
    })
    expect(own.pushesTo(phones).apns.map(badgeOf).at(-1)).toBe(1)
    expect(own.pushesTo(others).apns.map(badgeOf).at(-1)).toBe(0)

    // The recording, whole and in parts.
    const whole = await colleague.audio(id)
    expect(whole.status).toBe(200)
    expect(whole.bytes.equals(recording)).toBe(true)
    const part = await colleague.audio(id, { range: 'bytes=0-1' })
    expect(part.status).toBe(206)
    expect(part.bytes.toString('latin1')).toBe('Og')
    expect(part.headers.get('content-range')).toBe(`bytes 0-1/${recording.length}`)
    expect(part.headers.get('content-length')).toBe('2')

    // Deleted by one, gone for all, and its file with it.
    expect((await colleague.app('DELETE', `/voicemail/${id}`)).status).toBe(200)
    expect((await owner.app('GET', '/voicemail')).json.data).toHaveLength(1)
    expect((await owner.audio(id)).status).toBe(404)
    await own.erased()
    expect(await own.files()).toHaveLength(1)
    expect(await own.storedFiles()).toHaveLength(1)
  })

  test.each([
    ['the answer to the commit', 'voicemailMessages'],
    ['the jobs', 'queues'],
  ] as const)('a message whose upload loses %s is told of once', async (_what, part) => {
    await using own = await startVoicemail({ backend })
    await own.givenOwner('100')
    const phones = await own.givenPhones('100')
    await own.box('100', ['100'])
    const { voicemailMessages, queues, db } = own.gateway.context
    const [{ add }, { enqueueAll }] = [{ ...voicemailMessages }, { ...queues }]
    const dies = () => Promise.reject(new Error('this process is gone'))
    if (part === 'queues') queues.enqueueAll = dies
    else voicemailMessages.add = (...given) => add(...given).then(dies)
    expect((await own.upload({ external_id: 'a-1' })).status).toBe(part === 'queues' ? 201 : 503)
    Object.assign(
      part === 'queues' ? queues : voicemailMessages,
      part === 'queues' ? { enqueueAll } : { add },
    )

    expect((await own.upload({ external_id: 'a-1' })).status).toBe(200)
    await until(async () => (await db('pending_pushes').select('id')).length === 0, {
      ...{ timeoutMs: 30_000, description: 'every promise is kept' },
    })
    const { apns, fcm } = own.pushesTo(phones)
    const alerts = apns.filter(({ payload }) => 'alert' in (payload as { aps: object }).aps)
    const messages = fcm.filter(({ payload }) => payload.type === 'voicemail')
    expect([alerts.length, messages.length]).toEqual([1, 1])
    const rows = (await own.gateway.pushLog()).filter(({ kind }) => kind === 'voicemail')
    expect(rows.map(({ state }) => state)).toEqual(['delivered', 'delivered'])
  })

  test('a push that cannot be promised does not cost the message', async () => {
    await using own = await startVoicemail({ backend })
    const owner = await own.givenOwner('100')
    await own.givenPhones('100')
    await own.box('100', ['100'])
    await own.gateway.context.db('device_tokens').update({ token_sealed: 'cannot be opened' })
    expect((await own.upload()).status).toBe(201)
    expect((await owner.app('GET', '/voicemail')).json.data).toHaveLength(1)
    expect(await own.gateway.context.metrics.registry.metrics()).toMatch(
      /background_errors_total\{part="notify-devices"\} [12]/,
    )
  })
})

test('a page of the list follows the other, box after box and the newest first', async () => {
  await using own = await startVoicemail({ backend: 'postgres', workers: false })
  const owner = await own.givenOwner('100')
  await own.box('a', ['100'])
  await own.box('b', ['100'])
  for (const [box, day] of [
    ['b', 1],
    ['a', 2],
    ['b', 4],
    ['a', 3],
    ['b', 4],
  ] as const) {
    await own.upload({ box, timestamp: `2026-11-0${day}T00:00:00Z` })
  }
  const { json } = await owner.app('GET', '/voicemail')
  const days = (list: { timestamp: string }[]) => list.map(({ timestamp }) => Number(timestamp.slice(8, 10)))
  expect(days(json.data)).toEqual([3, 2, 4, 4, 1])
  const seen: number[] = []
  let cursor: string | null = null
  do {
    const next: string = cursor === null ? '' : `&cursor=${cursor}`
    const page = await owner.app('GET', `/voicemail?limit=2${next}`)
    expect(page.json.data.length).toBeLessThanOrEqual(2)
    seen.push(...page.json.data.map(({ id }: { id: number }) => id))
    cursor = page.headers.get('x-next-cursor')
  } while (cursor !== null)
  expect(seen).toEqual(json.data.map(({ id }: { id: number }) => id))
  for (const wrong of ['x', 'W10', Buffer.from('[1,"a",2]').toString('base64url'), '%00']) {
    const refused = await owner.app('GET', `/voicemail?limit=2&cursor=${wrong}`)
    expect(refused.status).toBe(400)
    expect(refused.json).toMatchObject({ field: 'cursor' })
  }
})

test('the recording is served as players want it, and to nobody else', async () => {
  await using own = await startVoicemail({ backend: 'postgres', workers: false })
  const owner = await own.givenOwner('100')
  const colleague = await own.givenOwner('101')
  const other = await own.gateway.otherTenant()
  const foreign = await own.givenOwner('100', other.tenantId)
  await own.box('100', ['100'])
  const recording = wav({ seconds: 3 })
  const { json } = await own.upload({}, recording)
  const { id, sha256 } = json.data

  const whole = await owner.audio(id)
  expect(whole.bytes.equals(recording)).toBe(true)
  expect(Object.fromEntries(whole.headers)).toMatchObject({
    'content-type': 'audio/wav',
    'content-disposition': `inline; filename="voicemail_${id}.wav"`,
    'content-length': String(recording.length),
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-store',
    'x-content-type-options': 'nosniff',
    etag: `"${sha256}"`,
    'last-modified': expect.stringMatching(/GMT$/),
  })
  const head = await owner.audio(id, { range: 'bytes=0-1' }, 'HEAD')
  expect(head).toMatchObject({ status: 200, bytes: Buffer.alloc(0) })
  expect(head.headers.get('content-length')).toBe(String(recording.length))

  // Put together from its parts, it is the same.
  const parts: Buffer[] = []
  for (let at = 0; at < recording.length; at += 7_777) {
    const { status, bytes, headers } = await owner.audio(id, {
      range: `bytes=${at}-${at + 7_776}`,
      'if-range': `"${sha256}"`,
    })
    expect(status).toBe(206)
    const end = Math.min(at + 7_777, recording.length) - 1
    expect(headers.get('content-range')).toBe(`bytes ${at}-${end}/${recording.length}`)
    parts.push(bytes)
  }
  expect(Buffer.concat(parts).equals(recording)).toBe(true)
  expect((await owner.audio(id, { range: 'bytes=-5' })).bytes.equals(recording.subarray(-5))).toBe(true)

  const beyond = await owner.audio(id, { range: `bytes=${recording.length}-` })
  expect(beyond.status).toBe(416)
  expect(beyond.headers.get('content-range')).toBe(`bytes */${recording.length}`)
  expect(JSON.parse(beyond.bytes.toString())).toMatchObject({ data: null, code: 'range_not_satisfiable' })
  const known = await owner.audio(id, { 'if-none-match': `"${sha256}"` })
  expect(known).toMatchObject({ status: 304, bytes: Buffer.alloc(0) })

  for (const stranger of [colleague, foreign]) {
    for (const answer of [
      await stranger.app('GET', `/voicemail/${id}/audio`),
      await stranger.app('PUT', `/voicemail/${id}/read`),
      await stranger.app('PUT', `/voicemail/${id}/unread`),
      await stranger.app('DELETE', `/voicemail/${id}`),
    ]) {
      expect(answer.status).toBe(404)
      expect(answer.json.error).toBe('voicemail message not found')
    }
    expect((await stranger.app('GET', '/voicemail')).json.data).toEqual([])
  }
  const nobody = await fetch(`${own.gateway.url}/api/v1/app/voicemail/${id}/audio`)
  expect(nobody.status).toBe(401)
  const other404 = await own.gateway.request('DELETE', `/api/v1/pbx/voicemail/${id}`, {
    headers: { authorization: `Bearer ${other.pbxKey}` },
  })
  expect(other404.status).toBe(404)

  // The disk has lost it: that is our fault, and says so.
  const [path = ''] = await own.files()
  await own.gateway.context.fileStorage.remove(path.split('/').at(-1) ?? '')
  const missing = await owner.app('GET', `/voicemail/${id}/audio`)
  expect(missing.status).toBe(500)
  expect(missing.json).toMatchObject({ error: 'audio file not found', code: 'audio_missing' })
  await writeFile(path, recording)
  expect((await owner.audio(id)).status).toBe(200)
})
