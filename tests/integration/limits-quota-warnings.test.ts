import { newId } from '../../src/lib/ids.ts'
import { createQuotaWarnings, type QuotaWarning } from '../../src/limits/quota-warnings.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS } from '../support/gateway.ts'
import { openSignals } from '../support/stores.ts'

const RETRY_MS = 10_000

describe.each(BACKENDS)('warnings of a quota on %s', (backend) => {
  let signals: Awaited<ReturnType<typeof openSignals>>
  beforeAll(async () => {
    signals = await openSignals(backend)
  })
  afterAll(() => signals[Symbol.asyncDispose]())

  /** Two nodes whose owner can be told, or not. */
  function nodes() {
    const state = { isDeaf: false, at: 1_000_000 }
    const told: QuotaWarning[] = []
    const counted: unknown[] = []
    const failures: Error[] = []
    const clock = { now: () => Date.now(), monotonic: () => state.at }
    const events = {
      quotaWarning: (warning: unknown) => void counted.push(warning),
      backgroundError: (_part: string, error: Error) => void failures.push(error),
    }
    const tell = async (warning: QuotaWarning) => {
      if (state.isDeaf) throw new Error('the owner cannot be told')
      told.push(warning)
    }
    const made = [signals.one, signals.two].map((each) =>
      createQuotaWarnings({ signals: each, tell, clock, events }),
    )
    const license = { id: newId(), tenantId: newId(), maxExtensions: 5 }
    const note = (node: number, used = 80) => made[node]?.note(license, 'calls', { used, limit: 100 })
    return { state, told, counted, failures, note, license }
  }

  test('are told once, by whatever node, and not below 80 %', async () => {
    const { state, told, counted, note, license } = nodes()
    note(0, 79)
    for (const node of [0, 1, 0, 1]) note(node)
    await until(() => counted.length > 0, { description: 'it is told' })
    for (let i = 0; i < 5; i += 1) {
      state.at += RETRY_MS
      note(0)
      note(1)
    }
    const { one } = signals
    await until(async () => (await one.claim(newId(), '', 1_000)) === undefined, {
      description: 'all is asked',
    })
    expect(told).toMatchObject([{ licenseId: license.id, lane: 'calls', used: 80, limit: 100 }])
    expect(counted).toHaveLength(1)
  })

  test.each([0, 1])('are told with a later push on node %i when telling failed', async (node) => {
    const { state, told, counted, failures, note } = nodes()
    state.isDeaf = true
    note(0)
    await until(() => failures.length > 0, { description: 'telling failed' })
    expect(failures.map(({ message }) => message)).toEqual(['the owner cannot be told'])
    expect(counted).toEqual([])
    state.isDeaf = false
    state.at += RETRY_MS
    await until(
      () => {
        // Meanwhile the other one may have seen that it was being told.
        state.at += RETRY_MS
        note(node, 85)
        return told.length > 0
      },
      { description: 'it is told after all' },
    )
    expect(told.map(({ used }) => used)).toEqual([85])
  })
})
