import { createUsageRecorder } from '../../src/license/usage-recorder.ts'
import type { UsageDay } from '../../src/license/usage-store.ts'

function recorder() {
  const clock = { at: Date.parse('2026-11-21T23:59:59Z'), now: () => clock.at, monotonic: () => clock.at }
  const written: UsageDay[][] = []
  const errors: Error[] = []
  const store = { isAway: false }
  const usageStore = {
    async add(days: readonly UsageDay[]) {
      if (store.isAway) throw new Error('away')
      written.push([...days])
    },
  }
  const usage = createUsageRecorder({ usageStore, clock, onError: (error) => void errors.push(error) })
  return { usage, clock, written, errors, store }
}

test('usage is added up by licence, lane and UTC day, and written in one go', async () => {
  const { usage, clock, written } = recorder()
  usage.add('a', 'calls', { accepted: 2, refused: 1 })
  usage.add('a', 'messages', { accepted: 0, refused: 5 })
  usage.add('a', 'calls', { accepted: 1, refused: 0 })
  usage.add('b', 'calls', { accepted: 1, refused: 0 })
  clock.at += 1_000
  usage.add('a', 'calls', { accepted: 9, refused: 0 })
  await usage.close()
  expect(written).toEqual([
    [
      { licenseId: 'a', day: '2026-11-21', calls: 3, messages: 0, refusedCalls: 1, refusedMessages: 5 },
      { licenseId: 'b', day: '2026-11-21', calls: 1, messages: 0, refusedCalls: 0, refusedMessages: 0 },
      { licenseId: 'a', day: '2026-11-22', calls: 9, messages: 0, refusedCalls: 0, refusedMessages: 0 },
    ],
  ])
})

test('what cannot be written goes with the next', async () => {
  const { usage, written, errors, store } = recorder()
  store.isAway = true
  usage.add('a', 'calls', { accepted: 2, refused: 0 })
  await usage.flush()
  expect([errors.length, written.length]).toEqual([1, 0])
  usage.add('a', 'calls', { accepted: 3, refused: 0 })
  store.isAway = false
  await usage.flush()
  expect(written).toMatchObject([[{ licenseId: 'a', calls: 5 }]])
  await usage.close()
  expect(written).toHaveLength(1)
})
