import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { givenOperator } from '../support/operators.ts'
import {
  filesBelow,
  MULTIPART,
  multipart,
  type Part,
  parts,
  startVoicemail,
  type TestVoicemail,
} from '../support/voicemail.ts'

/** No name that anybody gives leads to a file of his choice: as a path, as an id, as a file name, as a box. */
const CANARY = 'a-file-that-is-nobodys-business'
let own: TestVoicemail
let owner: Awaited<ReturnType<TestVoicemail['givenOwner']>>
let operator: string
beforeAll(async () => {
  own = await startVoicemail({ backend: 'postgres', workers: false, env: { RATE_LIMITS: 'off' } })
  owner = await own.givenOwner('100')
  await own.box('100', ['100'], { max_messages: 1_000 })
  operator = (await givenOperator(own.gateway, 'admin')).cookie
  // Beside the recordings, one up, where every wrong turn would come by.
  await writeFile(join(own.outside, 'canary'), CANARY)
})
afterAll(() => own[Symbol.asyncDispose]())

const TARGETS = ['canary', 'etc/passwd', 'proc/self/environ']
const STEPS = [
  ...['../', '..\\', './../', '..//', '....//', '..../\\', '.%2e/', '%2e./'],
  ...['%2e%2e/', '%2e%2e%2f', '%2E%2E%2F', '..%2f', '..%5c', '%2e%2e%5c', '..%252f', '%252e%252e%252f'],
  ...['%252e%252e/', '%25252e%25252e%25252f', '..%c0%af', '%c0%ae%c0%ae/', '..%e0%80%af', '%uff0e%uff0e/'],
  // Full-width and other dots and slashes, which a careless normalisation makes plain ones of.
  ...['\uff0e\uff0e/', '\uff0e\uff0e\uff0f', '\u2024\u2024/', '\u2025/', '..\u2215', '..\u2044', '..\u29f8'],
  ...['..;/', '..%00/', '..\0/', '..%0d%0a/', '..%09/'],
]
const ABSOLUTE = [
  ...[
    '/etc/passwd',
    '//etc/passwd',
    '%2fetc%2fpasswd',
    '%252fetc%252fpasswd',
    '\\etc\\passwd',
    '/./etc/passwd',
  ],
  ...[
    'C:\\Windows\\win.ini',
    'C:/Windows/win.ini',
    '\\\\host\\share\\x',
    'file:///etc/passwd',
    '~/x',
    '~root/x',
  ],
  ...[
    '/proc/self/cwd/package.json',
    '/proc/1/root/etc/passwd',
    '/dev/stdin',
    '.',
    '..',
    '.env',
    '.git/config',
  ],
  ...['1/../../canary', '1%00.wav', '1\0.wav', '1%2f..%2f..%2fcanary', 'canary%00', '`id`', '$(id)', '|id'],
]
const PAYLOADS = [
  ...new Set([
    ...TARGETS.flatMap((target) =>
      STEPS.flatMap((step) => [1, 3, 8].map((times) => step.repeat(times) + target)),
    ),
    ...ABSOLUTE,
  ]),
]

/** 301: from a folder of the board's own to the same with a slash. */
const REFUSALS = [301, 400, 401, 403, 404, 405]

/** One request as it stands, by no client that would tidy up its path. */
async function raw(path: string, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(own.gateway.url)
  const socket = connect(Number(port), hostname)
  const lines = Object.entries({ Host: 'x', Connection: 'close', ...headers }).map(
    ([k, v]) => `${k}: ${v}\r\n`,
  )
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  const answer = await text(socket)
  return { status: Number(answer.split(' ')[1]), text: answer }
}
const expectNothing = (payload: string, answer: { status: number; text: string }) => {
  if (!REFUSALS.includes(answer.status))
    throw new Error(`${payload}: ${answer.status} ${answer.text.slice(0, 500)}`)
  expect(answer.text).not.toMatch(/a-file-that-is|root:.*:0:|PATH=|"scripts"|\[core\]/)
}

test('there are more than 200 of them', () => {
  expect(PAYLOADS.length).toBeGreaterThan(250)
})

test('as the id of a recording, encoded by the client', async () => {
  for (const payload of PAYLOADS) {
    expectNothing(payload, await owner.app('GET', `/voicemail/${encodeURIComponent(payload)}/audio`))
  }
})

test.each([
  ['behind the recordings', '/api/v1/app/voicemail/', '/audio'],
  ['behind the API', '/api/v1/', ''],
  ['behind the documentation', '/docs/', ''],
  ['behind the board', '/operator/queues/static/', ''],
  ['behind nothing', '/', ''],
])('as a path, raw, %s', async (_where, before, after) => {
  const headers = {
    Authorization: owner.authorization.authorization,
    Cookie: operator,
    Accept: 'application/json',
  }
  for (const payload of PAYLOADS) expectNothing(payload, await raw(before + payload + after, headers))
})

test('as the name of a file, and of a box', async () => {
  const before = await filesBelow(own.outside)
  for (const payload of PAYLOADS) {
    const [box, id, file] = parts() as [Part, Part, Part]
    // It is looked at by nobody.
    const filename = payload.replaceAll(/["\r\n\0]/g, '')
    expect((await own.send(multipart([box, id, { ...file, filename }]))).status).toBe(201)
    const asBox = await own.send(multipart([{ ...box, content: payload }, id, file]), MULTIPART)
    expect({ payload, isRefused: [400, 404].includes(asBox.status) }).toEqual({ payload, isRefused: true })
  }
  const stored = await own.files()
  expect(stored).toHaveLength(PAYLOADS.length)
  for (const path of stored) expect(path).toMatch(/voicemail\/([0-9a-f]{2})\/[0-9a-f-]{34}\1$/)
  const after = await filesBelow(own.outside)
  expect(after.filter((path) => !stored.includes(path))).toEqual(before)
})
