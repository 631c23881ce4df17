import { randomUUID } from 'node:crypto'
import { readdir, readlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { DAY, HOUR } from '../../src/lib/units.ts'
import { LEFTOVER_AFTER_MS } from '../../src/storage/stored-files.ts'
import { pruneVoicemail } from '../../workers/prune-voicemail.ts'
import { sweepStoredFiles } from '../../workers/sweep-stored-files.ts'
import { until } from '../support/conditions.ts'
import { wav } from '../support/recordings.ts'
import { startVoicemail, type TestVoicemail } from '../support/voicemail.ts'

/** Whatever ends half-way: in the end there is no row without a file, and no file without a row. */
let own: TestVoicemail
beforeEach(async () => {
  own = await startVoicemail({ backend: 'postgres', workers: false })
  await own.givenOwner('100')
  await own.box('100', ['100'])
})
afterEach(() => own[Symbol.asyncDispose]())
const unfinished: Readable[] = []
afterAll(() => {
  for (const stream of unfinished) stream.destroy()
})

const turn = { number: 0, last: true, pauseMs: 0 }
const sweep = () => sweepStoredFiles(own.gateway.context).run({}, turn, 'sweep-stored-files')
const prune = () => pruneVoicemail(own.gateway.context).run({}, turn, 'prune-voicemail')
const keyOf = (path: string) => (path.split('/').at(-1) ?? '').replace('.new', '')
/** As if everything that is not a message yet had happened longer ago. */
const later = (ms: number) =>
  own.gateway.context.db.raw(
    `UPDATE stored_files SET changed_at = changed_at - ?::float8 * interval '1 millisecond'`,
    [ms],
  )

/** An upload that ends, with its process, after so many of its steps. */
async function crashAfter(steps: number): Promise<string> {
  const { context, tenant } = own.gateway
  const key = randomUUID()
  const recording = wav()
  if (steps >= 1) await context.storedFiles.announce(key, tenant.tenantId, new Date())
  if (steps === 2) {
    // In the middle of the file: nobody is left to end it or to take it away.
    const never = new Readable({ read: () => undefined })
    unfinished.push(never)
    never.push(recording.subarray(0, 1_000))
    context.fileStorage.write(key, never).catch(() => undefined)
    await until(async () => (await own.files()).length > 0, { description: 'the file has begun' })
  }
  if (steps >= 3) await context.fileStorage.write(key, Readable.from([recording], { objectMode: false }))
  return key
}

test.each([1, 2, 3])('a crash after step %i of an upload is swept up after an hour', async (steps) => {
  expect((await own.upload()).status).toBe(201)
  const [good] = await own.files()
  await crashAfter(steps)
  await sweep()
  expect(await own.storedFiles()).toHaveLength(2)
  await later(LEFTOVER_AFTER_MS + 1_000)
  await sweep()
  expect((await own.storedFiles()).map(({ key }) => key)).toEqual([keyOf(good ?? '')])
  expect(await own.files()).toEqual([good])
  expect(await own.messages()).toHaveLength(1)
  expect(await own.gateway.context.metrics.registry.metrics()).toContain(
    'wakeline_stored_files_swept_total 1',
  )
})

test('a crash between a deletion and the end of its file is swept up at once', async () => {
  await own.upload()
  const [path = ''] = await own.files()
  const { id } = (await own.messages())[0]
  const { context, tenant } = own.gateway
  await context.voicemailMessages.remove(tenant.tenantId, id, new Date())
  expect(await own.files()).toEqual([path])
  await sweep()
  expect(await own.files()).toEqual([])
  expect(await own.storedFiles()).toEqual([])

  // Or after the file is gone, and before its row is.
  await own.upload()
  const [second] = await own.messages()
  await context.voicemailMessages.remove(tenant.tenantId, second.id, new Date())
  await context.fileStorage.remove(second.file_key)
  await sweep()
  expect(await own.storedFiles()).toEqual([])
})

test('a file that is kept for no message goes after an hour', async () => {
  const key = await crashAfter(3)
  const { context, tenant } = own.gateway
  await context.storedFiles.keep(tenant.tenantId, key, 100, new Date())
  await sweep()
  expect(await own.files()).toHaveLength(1)
  await later(HOUR + 1_000)
  await sweep()
  expect(await own.files()).toEqual([])
  expect(await own.storedFiles()).toEqual([])
})

test('an upload that the sweep has given up is refused', async () => {
  const { context } = own.gateway
  const add = context.voicemailMessages.add
  context.voicemailMessages.add = async (...given) => {
    await later(LEFTOVER_AFTER_MS + 1_000)
    await sweep()
    return add(...given)
  }
  const answer = await own.upload()
  expect(answer).toMatchObject({ status: 503, json: { code: 'storage_unavailable' } })
  expect(await own.messages()).toEqual([])
  expect(await own.files()).toEqual([])
  expect(await own.storedFiles()).toEqual([])
})

test('a storage that fails is a 503, and what it keeps is erased when it is back', async () => {
  const { fileStorage } = own.gateway.context
  const { write, remove } = fileStorage
  const broken = async () => {
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  }
  fileStorage.write = broken
  expect(await own.upload()).toMatchObject({ status: 503, json: { code: 'storage_unavailable' } })
  expect(await own.storedFiles()).toEqual([])
  fileStorage.write = write

  const { json } = await own.upload()
  fileStorage.remove = broken
  expect((await own.gateway.pbx('DELETE', `/voicemail/${json.data.id}`)).status).toBe(200)
  await own.erased()
  expect(await own.files()).toHaveLength(1)
  await expect(sweep()).rejects.toThrow('no space left')
  fileStorage.remove = remove
  await sweep()
  expect(await own.files()).toEqual([])
  expect(await own.storedFiles()).toEqual([])
})

test('a message whose commit is not heard of keeps its recording, and comes again as the same one', async () => {
  const owner = await own.givenOwner('100')
  const { voicemailMessages } = own.gateway.context
  const { add } = voicemailMessages
  voicemailMessages.add = async (...given) => {
    await add(...given)
    throw new Error('Connection terminated unexpectedly')
  }
  const lost = await own.upload({ external_id: 'a-1' })
  expect(lost.status).toBe(503)
  voicemailMessages.add = add
  const [message] = await own.messages()
  expect((await owner.audio(message.id)).status).toBe(200)
  await later(LEFTOVER_AFTER_MS + 1_000)
  await sweep()
  const again = await own.upload({ external_id: 'a-1' })
  expect([again.status, again.json.data.id]).toEqual([200, message.id])
  expect((await owner.audio(message.id)).status).toBe(200)
  expect(await own.files()).toHaveLength(1)
  expect(await own.storedFiles()).toHaveLength(1)
})

test('a file that cannot be erased keeps the sweep from no other', async () => {
  const { fileStorage, voicemailMessages, db } = own.gateway.context
  for (let i = 0; i < 120; i += 1) {
    await db('stored_files').insert({
      key: randomUUID(),
      tenant_id: own.gateway.tenant.tenantId,
      ...{ state: 'removed', size_bytes: 1, changed_at: new Date() },
    })
  }
  await own.upload()
  const [message] = await own.messages()
  await voicemailMessages.remove(own.gateway.tenant.tenantId, message.id, new Date())
  const { remove } = fileStorage
  const stuck = new Set(
    (await db('stored_files').select('key').orderBy('key').limit(9)).map(({ key }) => String(key)),
  )
  fileStorage.remove = (key) => (stuck.has(key) ? Promise.reject(new Error('cannot be erased')) : remove(key))
  await expect(sweep()).rejects.toThrow('cannot be erased')
  expect((await own.storedFiles()).map(({ key }) => key).sort()).toEqual([...stuck].sort())
  fileStorage.remove = remove
  await sweep()
  expect(await own.storedFiles()).toEqual([])
})

test('a deletion is answered while the storage still works on it', async () => {
  const owner = await own.givenOwner('100')
  const { fileStorage } = own.gateway.context
  const { remove } = fileStorage
  const open = Promise.withResolvers<void>()
  fileStorage.remove = async (key) => {
    await open.promise
    await remove(key)
  }
  const ids: number[] = []
  for (let i = 0; i < 3; i += 1) ids.push((await own.upload()).json.data.id)
  expect((await own.gateway.pbx('DELETE', `/voicemail/${ids[0]}`)).status).toBe(200)
  expect((await owner.app('DELETE', `/voicemail/${ids[1]}`)).status).toBe(200)
  expect((await own.gateway.pbx('DELETE', '/voicemail-boxes/100')).status).toBe(200)
  expect(await own.files()).toHaveLength(3)
  open.resolve()
  await until(async () => (await own.storedFiles()).length === 0, { description: 'the files are gone' })
  expect(await own.files()).toEqual([])
})

test('a box keeps messages as long as it says, and a box that goes takes its messages along', async () => {
  await own.box('short', ['100'], { retention_days: 7 })
  const old = new Date(Date.now() - 8 * DAY).toISOString()
  const young = new Date(Date.now() - 6 * DAY).toISOString()
  for (const timestamp of [old, young]) {
    await own.upload({ box: 'short', timestamp })
    await own.upload({ box: '100', timestamp })
  }
  await prune()
  const { json } = await own.gateway.pbx('GET', '/voicemail')
  expect(json.data.messages.map(({ box }: { box: string }) => box).sort()).toEqual(['100', '100', 'short'])
  await own.erased()
  expect(await own.files()).toHaveLength(3)
  expect(await own.storedFiles()).toHaveLength(3)
  expect(await own.gateway.context.metrics.registry.metrics()).toContain('wakeline_voicemail_pruned_total 1')
  // Null clears it.
  await own.box('short', ['100'], { retention_days: null })
  await own.gateway.context.db('voicemail_messages').update({ recorded_at: new Date(0) })
  await prune()
  expect(await own.messages()).toHaveLength(3)

  expect((await own.gateway.pbx('DELETE', '/voicemail-boxes/100')).status).toBe(200)
  expect((await own.gateway.pbx('DELETE', '/voicemail-boxes/100')).status).toBe(404)
  expect(await own.messages()).toHaveLength(1)
  await own.erased()
  expect(await own.files()).toHaveLength(1)
  expect((await own.gateway.pbx('GET', '/voicemail-boxes')).json.data.boxes).toMatchObject([
    { number: 'short', extensions: ['100'], retention_days: null },
  ])
})

test('the PBX changes and lists its own messages, page by page', async () => {
  for (let i = 0; i < 5; i += 1) await own.upload({ timestamp: `2026-11-0${i + 1}T00:00:00Z` })
  const first = await own.gateway.pbx('GET', '/voicemail?limit=3&box=100')
  const next = await own.gateway.pbx('GET', `/voicemail?limit=3&cursor=${first.json.data.next_cursor}`)
  const times = [...first.json.data.messages, ...next.json.data.messages].map(({ timestamp }) => timestamp)
  expect(times).toEqual([5, 4, 3, 2, 1].map((day) => `2026-11-0${day}T00:00:00.000Z`))
  expect(next.json.data).not.toHaveProperty('next_cursor')

  const [{ id }] = first.json.data.messages
  const patch = (body: unknown, at = id) => own.gateway.pbx('PATCH', `/voicemail/${at}`, { body })
  expect((await patch({ transcription: 'Hello' })).json.data).toMatchObject({
    transcription: 'Hello',
    read: false,
  })
  expect((await patch({ read: true })).json.data).toMatchObject({ transcription: 'Hello', read: true })
  expect((await patch({ read: false })).json.data).toMatchObject({ read: false, read_at: null })
  expect((await patch({})).json.error).toBe('at least one field must be provided')
  expect((await patch({ read: true }, 999_999)).status).toBe(404)
  expect((await patch({ read: true }, 'x')).json.error).toBe('invalid voicemail message id')
  const unknown = await own.box('100', ['100', '999'])
  expect(unknown).toMatchObject({ status: 404, json: { code: 'unknown_extension', field: 'extensions.1' } })
})

test('a client that goes away in the middle frees the file', async () => {
  const owner = await own.givenOwner('100')
  const { json } = await own.upload({}, wav({ rate: 192_000, seconds: 20 }))
  const { hostname, port } = new URL(own.gateway.url)
  const openFiles = async () => {
    const links = await readdir('/proc/self/fd')
    const targets = await Promise.all(links.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
    return targets.filter((target) => target.startsWith(own.folder)).length
  }
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  socket.write(
    `GET /api/v1/app/voicemail/${json.data.id}/audio HTTP/1.1\r\nHost: x\r\nAuthorization: ${owner.authorization.authorization}\r\n\r\n`,
  )
  // Nothing is read, so it is not sent to its end.
  await until(async () => (await openFiles()) === 1, { description: 'the file is open' })
  socket.destroy()
  await until(async () => (await openFiles()) === 0, { description: 'the file is closed' })
  for (let i = 0; i < 20; i += 1) await owner.audio(json.data.id, {}, i % 2 ? 'HEAD' : 'GET')
  await until(async () => (await openFiles()) === 0, { description: 'no file stays open' })
})
