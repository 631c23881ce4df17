import fc from 'fast-check'
import { newId } from '../../src/lib/ids.ts'
import { createTenant } from '../../src/license/create-tenant.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** `POST /api/v1/pbx/call-records`: what the PBX tells of calls becomes rows, in whose histories they belong. */
describe.each(BACKENDS)('call records on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, workers: false })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const report = (body: unknown) => gateway.pbx('POST', '/call-records', { body })
  const records = () => gateway.context.db('call_records').orderBy('call_id')
  const rowOf = (callId: string) => gateway.context.db('call_records').where({ call_id: callId }).first()
  const partiesOf = async (callId: string) =>
    gateway.context
      .db('call_record_parties as p')
      .join('call_records as r', 'r.id', 'p.record_id')
      .where({ call_id: callId })
      .orderBy('party')
      .pluck('party')

  /** Each kept sum beside the rows that it stands for. */
  const sumsThatAreWrong = async () => {
    const { rows } = await gateway.context.db.raw(
      `SELECT * FROM (SELECT tenant_id, party, count(*) AS found FROM call_record_parties GROUP BY 1, 2) AS counted
       FULL JOIN call_party_counts AS kept USING (tenant_id, party)
       WHERE coalesce(found, 0) <> coalesce(calls, 0)`,
    )
    return rows
  }

  test('a call is told while it lives: one row, and only what is given changes', async () => {
    const callId = newId()
    const start = { call_id: callId, start_time: '2026-11-21T10:00:00Z', caller_id_num: '100', callee: '200' }
    expect((await report({ ...start, direction: 'internal' })).json).toEqual({
      data: { results: [{ call_id: callId, status: 'created' }] },
    })
    expect((await report({ call_id: callId, callee: '201' })).json.data.results[0].status).toBe('updated')
    expect((await report({ call_id: callId, callee: '201' })).json.data.results[0].status).toBe('unchanged')
    const end = { end_time: '2026-11-21T10:05:00.250+01:00', disposition: 'answered', duration: 300 }
    await report({ call_id: callId, ...end, billable_dur: 290, hangup_cause: 'NORMAL_CLEARING' })
    // Late, and empty: nothing of it counts.
    await report({
      call_id: callId,
      callee: '',
      caller_id_num: '999',
      disposition: 'in_progress',
      direction: null,
    })
    expect(await rowOf(callId)).toMatchObject({
      tenant_id: gateway.tenant.tenantId,
      start_time: new Date('2026-11-21T10:00:00Z'),
      start_told: true,
      end_time: new Date('2026-11-21T09:05:00.250Z'),
      answer_time: null,
      caller_id_num: '100',
      callee: '201',
      direction: 'internal',
      disposition: 'answered',
      duration_seconds: 300,
      billable_seconds: 290,
      hangup_cause: 'NORMAL_CLEARING',
    })
    expect(await partiesOf(callId)).toEqual(['100', '201'])
    expect(await sumsThatAreWrong()).toEqual([])
  })

  test('in a batch each is judged by itself, in the order of the request', async () => {
    const [one, two, wrong] = [newId(), newId(), newId()]
    const answer = await report([
      { call_id: one, callee: '1' },
      { call_id: wrong, direction: 'sideways' },
      'nonsense',
      { call_id: two, callee: '2', surprise: 1 },
      { call_id: one, callee: '3' },
      { call_id: two, callee: '4' },
      { call_id: one, callee: '3' },
      { callee: '5' },
    ])
    expect(answer.status).toBe(200)
    expect(answer.json.data.results).toEqual([
      { call_id: one, status: 'created' },
      {
        call_id: wrong,
        status: 'refused',
        code: 'invalid_request',
        error: expect.any(String),
        field: 'direction',
      },
      { status: 'refused', code: 'invalid_request', error: expect.any(String) },
      {
        call_id: two,
        status: 'refused',
        code: 'invalid_request',
        error: expect.any(String),
        field: 'surprise',
      },
      { call_id: one, status: 'updated' },
      { call_id: two, status: 'created' },
      { call_id: one, status: 'unchanged' },
      { status: 'refused', code: 'invalid_request', error: expect.any(String), field: 'call_id' },
    ])
    expect(await rowOf(wrong)).toBeUndefined()
    expect(await partiesOf(one)).toEqual(['3'])
    expect(await sumsThatAreWrong()).toEqual([])
  })

  test.each<[string, unknown, string | undefined]>([
    ['no call id', { callee: '1' }, 'call_id'],
    ['an empty one', { call_id: '' }, 'call_id'],
    ['a number as text', { call_id: 'x', duration: '5' }, 'duration'],
    ['a fraction', { call_id: 'x', duration: 1.5 }, 'duration'],
    ['more seconds than fit', { call_id: 'x', duration: 2_147_483_648 }, 'duration'],
    ['a naive time', { call_id: 'x', start_time: '2026-11-21T10:00:00' }, 'start_time'],
    ['a time before there were any', { call_id: 'x', start_time: '0000-01-01T00:00:00Z' }, 'start_time'],
    ['NUL', { call_id: 'x', callee: 'a\0b' }, 'callee'],
    ['half a character', { call_id: 'x', callee: 'a\ud800' }, 'callee'],
    ['somebody else’s tenant', { call_id: 'x', tenant_id: newId() }, 'tenant_id'],
    ['an empty list', [], undefined],
    ['too many', Array.from({ length: 501 }, (_, i) => ({ call_id: `n-${i}` })), undefined],
    ['a text', '"x"', undefined],
  ])('refuses %s', async (_, body, field) => {
    const before = await records()
    const answer = await report(body)
    expect(answer.status).toBe(400)
    expect(answer.json).toMatchObject({ data: null, code: 'invalid_request', error: expect.any(String) })
    expect(answer.json.field).toBe(field)
    expect(await records()).toEqual(before)
  })

  test('500 at once are one request, and 500 again change nothing', async () => {
    const prefix = newId()
    const body = Array.from({ length: 500 }, (_, i) => ({
      ...{ call_id: `${prefix}-${i}`, start_time: '2026-11-21T10:00:00Z', caller_id_num: `${i % 7}` },
      ...{ callee: `${i % 5}`, direction: 'internal', disposition: 'busy', flow_path: 'x'.repeat(1_000) },
    }))
    const statuses = async () =>
      new Set((await report(body)).json.data.results.map(({ status }: { status: string }) => status))
    expect(await statuses()).toEqual(new Set(['created']))
    expect(await statuses()).toEqual(new Set(['unchanged']))
    expect(await sumsThatAreWrong()).toEqual([])
  })

  test('the same calls at the same moment from many senders are one row each, and the sums are right', async () => {
    const calls = Array.from({ length: 20 }, () => newId())
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => {
        const body = calls.map((call_id, i) => ({
          call_id,
          caller_id_num: `${(i + n) % 3}`,
          callee: `${n % 4}`,
        }))
        return report(n % 2 === 0 ? body : body.toReversed())
      }),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    const statuses = answers.flatMap(({ json }) =>
      json.data.results.map((one: { status: string }) => one.status),
    )
    expect(statuses.filter((status) => status === 'created')).toHaveLength(calls.length)
    expect(await gateway.context.db('call_records').whereIn('call_id', calls)).toHaveLength(calls.length)
    expect(await sumsThatAreWrong()).toEqual([])
  })

  test('whatever is told in whatever order, the sums are those of the rows, and a call id is one row', async () => {
    const party = fc.constantFrom('100', '200', '', '300')
    const told = fc.record(
      {
        call_id: fc.constantFrom('p-1', 'p-2', 'p-3'),
        start_time: fc.constantFrom('2026-11-21T10:00:00Z', '2026-11-21T10:00:01Z'),
        end_time: fc.constant('2026-11-21T10:00:09Z'),
        caller_id_num: party,
        callee: party,
        disposition: fc.constantFrom('answered', 'busy', 'in_progress'),
      },
      { requiredKeys: ['call_id'] },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(told, { minLength: 1, maxLength: 6 }), async (body) => {
        expect((await report(body)).status).toBe(200)
        expect(await sumsThatAreWrong()).toEqual([])
      }),
      { numRuns: 40 },
    )
  })

  test('text that looks like SQL is text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 60 }), async (noise) => {
        const call_id = `${newId()} ${noise.replaceAll('\0', '')}'; DROP TABLE call_records; --`
        const value = `${noise.replaceAll('\0', '')}' OR ?? = ? \\ $1 --`
        const answer = await report({ call_id, callee: value.slice(0, 64), caller_id_name: value })
        expect(answer.json.data.results[0]).toEqual({ call_id, status: 'created' })
        expect(await rowOf(call_id)).toMatchObject({ callee: value.slice(0, 64), caller_id_name: value })
      }),
      { numRuns: 40 },
    )
  })

  test('the same call id of another tenant is another call', async () => {
    const other = await createTenant(gateway.context, { name: 'other', tier: 'free' })
    const callId = newId()
    await report({ call_id: callId, callee: '1' })
    const theirs = await gateway.request('POST', '/api/v1/pbx/call-records', {
      headers: { authorization: `Bearer ${other.pbxKey}` },
      body: { call_id: callId, callee: '2' },
    })
    expect(theirs.json.data.results[0].status).toBe('created')
    const rows = await gateway.context.db('call_records').where({ call_id: callId }).orderBy('callee')
    expect(rows.map(({ callee, tenant_id }) => [callee, tenant_id])).toEqual([
      ['1', gateway.tenant.tenantId],
      ['2', other.tenantId],
    ])
  })

  test('nobody without a PBX key tells anything', async () => {
    const answer = await gateway.request('POST', '/api/v1/pbx/call-records', { body: { call_id: 'x' } })
    expect(answer.status).toBe(401)
  })
})
