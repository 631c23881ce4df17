import { type BadgesDeps, createBadges, sumUnread } from '../../src/devices/badges.ts'
import type { Notice } from '../../src/devices/notify-devices.ts'
import { until } from '../support/conditions.ts'

/** The number on the icon: counted when it is sent, and sent once for many changes. */
function given(overrides: Partial<BadgesDeps> = {}) {
  const sent: { tenantId: string; extensionId: number; notice: Notice }[] = []
  const failures: string[] = []
  const unread = new Map<number, number>()
  const badges = createBadges({
    unreadCount: async (_tenantId, extensionId) => unread.get(extensionId) ?? 0,
    notifyDevices: async (tenantId, extensionId, notice) => sent.push({ tenantId, extensionId, notice }),
    events: {
      backgroundError: (part: string) => void failures.push(part),
    } as unknown as BadgesDeps['events'],
    gatherMs: 60_000,
    ...overrides,
  })
  return { badges, sent, failures, unread }
}

test('many changes of one extension are one push, with the number there is then', async () => {
  const { badges, sent, unread } = given()
  for (let left = 5; left > 0; left -= 1) {
    unread.set(7, left)
    badges.changed('t', [7])
  }
  badges.changed('t', [8])
  badges.changed('other', [7])
  expect(sent).toEqual([])
  unread.set(7, 3)
  await badges.close()
  expect(sent.map(({ tenantId, extensionId, notice }) => [tenantId, extensionId, notice.kind])).toEqual([
    ['t', 7, 'badge'],
    ['t', 8, 'badge'],
    ['other', 7, 'badge'],
  ])
  expect(sent[0]?.notice.content).toEqual({ badge: 3 })
  expect(sent[1]?.notice.content).toEqual({ badge: 0 })
})

test('it goes by itself after a moment, and the next change is another push', async () => {
  const { badges, sent } = given({ gatherMs: 1 })
  badges.changed('t', [7])
  await until(() => sent.length === 1, { description: 'the first push' })
  badges.changed('t', [7])
  await until(() => sent.length === 2, { description: 'the second push' })
  await badges.close()
  expect(sent).toHaveLength(2)
})

test('a count that fails is told, and keeps nobody from stopping', async () => {
  const { badges, sent, failures } = given({ unreadCount: () => Promise.reject(new Error('no database')) })
  badges.changed('t', [7])
  await badges.close()
  expect([sent, failures]).toEqual([[], ['badges']])
})

test('all kinds of unread things are one number', async () => {
  const asked: number[][] = []
  const count = sumUnread([
    async (owners) => {
      asked.push(owners.map(({ extensionId }) => extensionId))
      return new Map(owners.map(({ extensionId }) => [extensionId, extensionId * 10]))
    },
    async () => new Map([[7, 2]]),
    async () => new Map(),
  ])
  expect(await Promise.all([count('t', 7), count('t', 8), count('t', 7)])).toEqual([72, 80, 72])
  // Counts of one moment are one question.
  expect(asked).toEqual([[7, 8]])
})
