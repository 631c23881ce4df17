import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BACKENDS, callId, startTestGateway } from '../support/gateway.ts'

/** What FlowPBX's clients rely on, point by point, and the tests that show it: by file, and by how each test is called. */
const CHECKLIST: readonly { point: string; shownBy: Readonly<Record<string, readonly string[]>> }[] = [
  {
    point: '1: a good /v1/push is 200, delivered true, call_id echoed, below 4096 bytes, without error',
    shownBy: { 'contract/flowpbx-checklist.test.ts': ['a good push is answered as FlowPBX reads it'] },
  },
  {
    point: '2: 400, 403, 429, 500, 502 and 503 with their exact sentences and data null',
    shownBy: {
      'contract/gateway-push.test.ts': [
        'an expired licence, like an unknown one',
        'answers 502 for a dead token',
      ],
      'contract/gateway-limits.test.ts': ['one call too many is refused in the words of the contract'],
      'contract/license-wire.test.ts': ['success has data and no error, failure has data null and an error'],
      'integration/store-away.test.ts': ['%s'],
    },
  },
  {
    point: '3: validate 404 against activate 403; expires_at is absent for perpetual licences',
    shownBy: {
      'contract/license-wire.test.ts': [
        'without an end there is no expires_at (D3)',
        '404 for every key or licence that is no good',
        '403 for every key or licence that is no good (D3)',
      ],
    },
  },
  {
    point: '4: /healthz without the envelope, /api/v1/health with it',
    shownBy: {
      'contract/license-wire.test.ts': ['GET /healthz is alive, without an envelope (D4)'],
      'contract/health.test.ts': ['it says in the envelope whether there is a tenant yet'],
    },
  },
  {
    point: '5: the JWT of a login verifies with HS256 and the same hex secret; its claims have their types',
    shownBy: { 'contract/app-login.test.ts': ['gives a token that verifies with HS256'] },
  },
  {
    point: '6: every integer is a JSON number',
    shownBy: {
      'contract/app-login.test.ts': ['has no integer that is text'],
      'e2e/app-session.test.ts': ['login, push token, profile, voicemail, history, directory, calls'],
    },
  },
  {
    point: '7: voicemail and directory are bare arrays, history is a page',
    shownBy: {
      'e2e/voicemail.test.ts': ['a message reaches the phones of its owner'],
      'contract/directory.test.ts': ['a bare array of every extension'],
      'contract/history.test.ts': ['a call with everything: names, types and values'],
    },
  },
  {
    point: '8: follow_me_numbers is an array of strings',
    shownBy: { 'contract/app-me.test.ts': ['numbers are strings for the app'] },
  },
  {
    point:
      '9: push-token takes token and platform; a token under a second extension moves; 4096 characters fit',
    shownBy: {
      'contract/push-token.test.ts': [
        'a token and a platform are enough',
        'the phone logs in as somebody else',
        'a token of %s may have %i characters',
      ],
    },
  },
  {
    point: '10: audio in ranges, exact length, its type, Authorization required, foreign ids are 404',
    shownBy: {
      'e2e/voicemail.test.ts': ['the recording is served as players want it, and to nobody else'],
      'e2e/authorisation.test.ts': ['a route for callers with %s'],
    },
  },
  {
    point: '11: a PUT without a body that is said to be JSON is 200',
    shownBy: { 'e2e/voicemail.test.ts': ['a message reaches the phones of its owner'] },
  },
  {
    point: '12: 401 in the five cases of JWT and login only',
    shownBy: {
      'contract/app-jwt.test.ts': ['%s is refused', 'is no 401, which would make the app forget everything'],
      'contract/app-login.test.ts': ['does not tell a wrong password from an extension that is not there'],
      'e2e/authorisation.test.ts': ['a route for callers with %s'],
    },
  },
  {
    point: '13: 20 pushes of one licence at once lose none by the default limits',
    shownBy: {
      'contract/gateway-push.test.ts': ['loses none of the pushes of a ring group'],
      'contract/gateway-limits.test.ts': ['a ring group of 20 phones loses nothing on the smallest licence'],
    },
  },
]

test('the points are those of the list, in its order', () => {
  expect(CHECKLIST.map(({ point }) => Number(point.split(':')[0]))).toEqual(
    Array.from({ length: 13 }, (_, i) => i + 1),
  )
})

test.each(CHECKLIST)('point $point', ({ shownBy }) => {
  for (const [file, titles] of Object.entries(shownBy)) {
    const text = readFileSync(join(import.meta.dirname, '..', file), 'utf8')
    for (const title of titles) expect([file, title, text.includes(title)]).toEqual([file, title, true])
  }
})

test.each(BACKENDS)('a good push is answered as FlowPBX reads it, on %s', async (backend) => {
  await using gateway = await startTestGateway({ backend })
  const call_id = callId()
  const { status, json, text } = await gateway.push({ call_id })
  expect(status).toBe(200)
  expect(json.data).toMatchObject({ delivered: true, call_id })
  expect(json).not.toHaveProperty('error')
  expect(Buffer.byteLength(text)).toBeLessThan(4_096)
})
