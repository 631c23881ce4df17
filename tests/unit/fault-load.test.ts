import { createPhones, nextCall, nextMessage } from '../../faults/load/items.ts'
import { createRandom } from '../../faults/load/random.ts'
import { requestOf } from '../../faults/load/requests.ts'

const keys = { licenseKey: 'WL-1', pbxKey: 'wlpbx_1' }

/** What the first clients of a run ask for. */
function requestsOf(seed: number) {
  const random = createRandom(seed)
  const phones = createPhones(random.fork())
  const dice = random.fork()
  return Array.from({ length: 200 }, (_, index) =>
    requestOf(index % 2 ? nextMessage(dice) : nextCall(dice, phones), keys, phones),
  )
}

test('the same seed gives the same clients, another one others', () => {
  expect(requestsOf(7)).toEqual(requestsOf(7))
  expect(requestsOf(7)).not.toEqual(requestsOf(8))
})

test('no two pushes of a run are taken for one another, and all kinds of clients come', () => {
  const random = createRandom(7)
  const phones = createPhones(random.fork())
  const items = Array.from({ length: 1_000 }, (_, index) =>
    index % 2 ? nextMessage(random) : nextCall(random, phones),
  )
  expect(new Set(items.map(({ subject }) => subject)).size).toBe(items.length)
  const asked = new Set(items.map(({ mode, provider }) => `${mode} ${provider}`))
  const unheld = ['async', 'waited', 'stored'].flatMap((mode) => [`${mode} apns`, `${mode} fcm`])
  expect(asked).toEqual(new Set(['held apns', ...unheld]))
})
