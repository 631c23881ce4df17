import { connect } from 'node:net'
import fc from 'fast-check'
import { until } from '../support/conditions.ts'
import { chunk, fmtChunk, oggPage, opus, riff, sound, WRONG_MEDIA, wav } from '../support/recordings.ts'
import {
  BOUNDARY,
  MULTIPART,
  multipart,
  type Part,
  parts,
  startVoicemail,
  type TestVoicemail,
} from '../support/voicemail.ts'

const EMPTY_PAGE = oggPage(0, 0, 1, Buffer.alloc(0))

/** What a PBX may send, and what it must not leave behind when that is wrong. */
let own: TestVoicemail
beforeAll(async () => {
  own = await startVoicemail({ backend: 'postgres', workers: false, env: { VOICEMAIL_QUOTA_MB: '20' } })
  await own.givenOwner('100')
  await own.box('100', ['100'], { max_messages: 1_000, max_seconds: 20 })
})
afterAll(() => own[Symbol.asyncDispose]())
afterEach(async () => {
  await own.gateway.pbx('DELETE', '/voicemail-boxes/100')
  await own.erased()
  await own.box('100', ['100'], { max_messages: 1_000, max_seconds: 20 })
})

const nothingIsLeft = async () => {
  expect(await own.messages()).toEqual([])
  expect(await own.storedFiles()).toEqual([])
  expect(await own.files()).toEqual([])
}
const refused = async (body: Buffer, status: number, expected: Record<string, unknown>) => {
  const answer = await own.send(body)
  expect(answer).toMatchObject({ status, json: { data: null, ...expected } })
  await nothingIsLeft()
}

test.each(Object.entries(WRONG_MEDIA))('%s is refused, and nothing is left of it', async (_name, audio) => {
  await refused(multipart(parts({}, audio)), 415, {
    code: 'unsupported_media',
    error: 'audio must be a WAV or Ogg Opus recording',
    field: 'audio',
  })
})

test.each([
  ['a RIFF of empty chunks', riff(Array(1_249_990).fill(chunk('junk', Buffer.alloc(0))))],
  ['an Ogg of empty pages', Buffer.concat([opus().subarray(0, 47), ...Array(357_000).fill(EMPTY_PAGE)])],
])('%s is refused, however many there are, and nothing is left of it', async (_name, audio) => {
  expect(audio.length).toBeGreaterThan(9_990_000)
  await refused(multipart(parts({}, audio)), 415, { code: 'unsupported_media', field: 'audio' })
})

const good = parts()
const [, , audio] = good
const field = (name: string, content: string): Part => ({ name, content })
test.each<[string, Part[], number, Record<string, unknown>]>([
  ['no part at all', [], 400, { field: 'audio' }],
  ['no file', good.slice(0, 2), 400, { field: 'audio', error: 'audio must be a file part' }],
  ['a file that is a text', [...good.slice(0, 2), field('audio', 'RIFF')], 400, { field: 'audio' }],
  ['two files', [...good, audio as Part], 400, { field: 'audio', error: 'only one file is taken' }],
  ['another file', [...good.slice(0, 2), { ...(audio as Part), name: 'file' }], 400, { field: 'file' }],
  ['no box', good.slice(1), 400, { field: 'box' }],
  ['no external_id', [field('box', '100'), audio as Part], 400, { field: 'external_id' }],
  ['an unknown box', parts({ box: '999' }), 404, { field: 'box', code: 'unknown_box' }],
  ['an unknown field', parts({ tenant_id: 'x' }), 400, { field: 'tenant_id', error: 'unknown field' }],
  ['__proto__', [...good, field('__proto__', 'x')], 400, { field: '__proto__' }],
  ['a field twice', [...good, field('box', '100')], 400, { field: 'box' }],
  ['a part without a name', [...good, { content: 'x' }], 400, { error: 'a part has no name' }],
  ['NUL', parts({ caller_id_name: 'a\0b' }), 400, { field: 'caller_id_name' }],
  ['a long name', parts({ caller_id_name: 'x'.repeat(257) }), 400, { field: 'caller_id_name' }],
  ['an endless field', parts({ transcription: 'x'.repeat(100_000) }), 413, { field: 'transcription' }],
  ['no time', parts({ timestamp: 'yesterday' }), 400, { field: 'timestamp' }],
  ['a time without a zone', parts({ timestamp: '2026-11-20T10:00:00' }), 400, { field: 'timestamp' }],
  ['the year 0', parts({ timestamp: '0000-01-01T00:00:00Z' }), 400, { field: 'timestamp' }],
  ['a recording that is too long', parts({}, wav({ seconds: 21 })), 409, { code: 'message_too_long' }],
  ['a file that is too large', parts({}, wav({ seconds: 700 })), 413, { code: 'body_too_large' }],
  ['many fields', Array.from({ length: 30 }, (_, i) => field(`f${i}`, 'x')), 400, { field: 'f0' }],
])('%s is refused, and nothing is left of it', async (_name, body, status, expected) => {
  await refused(multipart(body), status, expected)
})

test('the file may come first', async () => {
  const [box, id, file] = parts() as [Part, Part, Part]
  expect((await own.send(multipart([file, box, id]))).status).toBe(201)
})

test('a recording has at most 10,000,000 bytes', async () => {
  // 20 seconds, which is as long as the box allows.
  const fmt = fmtChunk({ rate: 250_000 })
  const around = riff([fmt, chunk('data', Buffer.alloc(0))]).length
  const largest = riff([fmt, chunk('data', sound(10_000_000 - around))])
  // Without the filling byte that an odd length should have.
  const larger = riff([fmt, chunk('data', sound(10_000_001 - around)).subarray(0, -1)])
  expect([largest.length, larger.length]).toEqual([10_000_000, 10_000_001])
  await refused(multipart(parts({}, larger)), 413, { code: 'body_too_large' })
  const taken = await own.upload({}, largest)
  expect([taken.status, taken.json.data.size_bytes]).toEqual([201, 10_000_000])
})

test.each([
  ['no type', ''],
  ['JSON', 'application/json'],
  ['another multipart', `multipart/mixed; boundary=${BOUNDARY}`],
])('content type: %s is refused', async (_name, type) => {
  const answer = await own.send(multipart(parts()), { 'content-type': type })
  expect(answer).toMatchObject({
    status: 415,
    json: { code: 'unsupported_media_type', error: 'content type must be multipart/form-data' },
  })
})

test.each(['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary="other"'])(
  'a boundary that is none is refused: %s',
  async (type) => {
    const answer = await own.send(multipart(parts()), { 'content-type': type })
    expect(answer.status).toBe(400)
    await nothingIsLeft()
  },
)

test('an upload without its last boundary is refused wherever it ends', async () => {
  const whole = multipart(parts({}, wav({ seconds: 1 })))
  for (const length of [0, 1, 50, 200, 400, 5_000, whole.length - 30, whole.length - 10, whole.length - 4]) {
    const answer = await own.send(whole.subarray(0, length))
    expect(answer).toMatchObject({ status: 400, json: { code: 'incomplete_upload' } })
    await nothingIsLeft()
  }
})

test('a connection that is cut leaves nothing', async () => {
  const whole = multipart(parts({}, wav({ seconds: 10 })))
  for (const length of [10, 1_000, 80_000, whole.length - 1]) {
    const { hostname, port } = new URL(own.gateway.url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => undefined)
    socket.write(
      `POST /api/v1/pbx/voicemail HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${own.gateway.tenant.pbxKey}\r\n` +
        `Content-Type: ${MULTIPART['content-type']}\r\nContent-Length: ${whole.length}\r\n\r\n`,
    )
    socket.write(whole.subarray(0, length))
    if (length > 1_000) {
      await until(async () => (await own.storedFiles()).length === 1, { description: 'the file has begun' })
    }
    socket.destroy()
    await until(async () => (await own.storedFiles()).length === 0, { description: 'the file is given up' })
    await nothingIsLeft()
  }
})

test('the same message twice is one, also at the same time', async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => own.upload({ external_id: 'same' })))
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array(7).fill(200), 201])
  expect(new Set(answers.map(({ json }) => json.data.id)).size).toBe(1)
  expect(await own.messages()).toHaveLength(1)
  expect(await own.files()).toHaveLength(1)
  // Of another box it is another one.
  await own.box('101', [])
  expect((await own.upload({ box: '101', external_id: 'same' })).status).toBe(201)
  await own.gateway.pbx('DELETE', '/voicemail-boxes/101')
})

/** A PBX comes again when it is asked to: fifty at once may wait too long for a connection to the database. */
async function uploadUntilJudged(audio?: Buffer) {
  const external_id = crypto.randomUUID()
  for (;;) {
    const answer = await own.upload({ external_id }, audio)
    if (answer.status !== 503) return answer
  }
}

test('fifty at once fill a quota exactly, and a box exactly', async () => {
  // Ten recordings fit beside this one.
  const size = 200_000
  const small = wav({ rate: (size - 44) / 2 / 4, seconds: 4 })
  expect(small.length).toBe(size)
  const { tenantId } = own.gateway.tenant
  await own.gateway.context.db('stored_files').insert({
    key: crypto.randomUUID(),
    tenant_id: tenantId,
    state: 'kept',
    size_bytes: 20_000_000 - 10 * size,
    changed_at: new Date(),
  })
  const answers = await Promise.all(Array.from({ length: 50 }, () => uploadUntilJudged(small)))
  const statuses = (status: number) => answers.filter((answer) => answer.status === status)
  expect(statuses(201)).toHaveLength(10)
  expect(statuses(409)).toHaveLength(40)
  expect(statuses(409)[0]?.json).toMatchObject({ code: 'voicemail_full' })
  expect(await own.files()).toHaveLength(10)
  await own.gateway.context
    .db('stored_files')
    .where({ size_bytes: 20_000_000 - 10 * size })
    .del()

  await own.box('100', ['100'], { max_messages: 15 })
  const more = await Promise.all(Array.from({ length: 20 }, () => uploadUntilJudged()))
  expect(more.filter(({ status }) => status === 201)).toHaveLength(5)
  expect(more.find(({ status }) => status === 409)?.json).toMatchObject({ code: 'box_full', field: 'box' })
  expect(await own.files()).toHaveLength(15)
})

test('bytes of any kind are refused without a failure of ours, and leave nothing', async () => {
  const whole = multipart(parts({}, wav({ seconds: 1 })))
  const mutated = fc
    .array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 })
    .map((changes) => {
      const body = Buffer.from(whole)
      for (const [at, value] of changes) body[at] = value
      return body
    })
  const pieces = fc
    .array(
      fc.oneof(
        fc.constantFrom(`--${BOUNDARY}`, `--${BOUNDARY}--`, '\r\n', '\r\n\r\n', '--'),
        fc.constantFrom('Content-Disposition: form-data; name="box"', 'Content-Type: audio/wav'),
        fc.constantFrom('Content-Disposition: form-data; name="audio"; filename="a"', 'RIFF', 'OggS'),
        fc.string({ maxLength: 30 }),
      ),
      { maxLength: 30 },
    )
    .map((texts) => Buffer.from(texts.join('')))
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutated, pieces), async (body) => {
      const { status } = await own.send(body)
      // A byte of the sound or of a name may well be another one.
      expect([200, 201, 400, 404, 413, 415]).toContain(status)
      const kept = await own.messages()
      expect(await own.files()).toHaveLength(kept.length)
      expect(await own.storedFiles()).toHaveLength(kept.length)
    }),
    { numRuns: 150 },
  )
})

test('a large file is streamed: it is on the disk before it has come to its end', async () => {
  const whole = multipart(parts({}, wav({ rate: 96_000, seconds: 20 })))
  const half = Math.floor(whole.length / 2)
  const { promise: first, resolve } = Promise.withResolvers<void>()
  const body = new ReadableStream({
    async start(controller) {
      controller.enqueue(whole.subarray(0, half))
      await first
      controller.enqueue(whole.subarray(half))
      controller.close()
    },
  })
  const answer = own.send(body)
  await until(async () => (await own.files()).some((path) => path.endsWith('.new')), {
    description: 'the first half is being written',
  })
  resolve()
  expect((await answer).status).toBe(201)
  expect((await own.files()).filter((path) => path.endsWith('.new'))).toEqual([])
})

test('what is refused while it comes does not break the connection', async () => {
  // The answer is there before the body is: a client that writes on gets it all the same.
  const answer = await own.send(multipart(parts({}, Buffer.concat([Buffer.from('PK'), sound(5_000_000)]))))
  expect(answer.status).toBe(415)
  await nothingIsLeft()
})
