import { type DeviceFacts, decideNotice, GRACE_MS, type NoticeFacts } from '../../src/chat/notice-decision.ts'
import { STAGE, type Stage } from '../../src/chat/outbox-store.ts'
import { DEFAULT_PUSH_SETTINGS, type PushSettings } from '../../src/chat/push-settings.ts'

const NOW = Date.parse('2026-11-27T12:00:00Z')
const phone = (id: string, change: Partial<DeviceFacts> = {}): DeviceFacts => ({
  ...{ id, hasToken: true, ackedSeq: 4, isAttentive: false },
  ...change,
})
const has = { ackedSeq: 5 }
const open = { isAttentive: true }

const facts = (
  devices: DeviceFacts[],
  settings: Partial<PushSettings> = {},
  change: Partial<NoticeFacts> = {},
): NoticeFacts => ({
  message: { seq: 9, createdAt: NOW - 100, isDeleted: false, mentionsHim: false },
  participant: { notify: 'all', lastReadSeq: 8 },
  dnd: false,
  settings: { ...DEFAULT_PUSH_SETTINGS, ...settings },
  eventSeq: 5,
  devices,
  ...change,
})
const grace = { stage: STAGE.grace, dueAt: NOW + GRACE_MS }
const escalation = { stage: STAGE.escalation, dueAt: NOW - 100 + 30_000 }
const each = { pushWhen: 'this_device_not_acked' } as const
const always = { pushWhen: 'always' } as const
const escalates = { escalateAfterSeconds: 30 }
const byUser = (deviceId: string) => ({ deviceId, reason: 'acked_by_user' })

test.each<[string, NoticeFacts, Stage, unknown]>([
  ['a sleeping phone is pushed at once', facts([phone('a')]), STAGE.first, { push: ['a'] }],
  ['all sleeping phones are', facts([phone('a'), phone('b')]), STAGE.first, { push: ['a', 'b'] }],
  ['nobody is pushed while one is open', facts([phone('a', open), phone('b')]), STAGE.first, { next: grace }],
  [
    'after the grace all that do not have it are',
    facts([phone('a', open), phone('b')]),
    STAGE.grace,
    { push: ['a', 'b'] },
  ],
  [
    'one that has it is enough',
    facts([phone('a', has), phone('b')]),
    STAGE.grace,
    { withheld: [byUser('b')] },
  ],
  [
    'also one without a token',
    facts([phone('a', { ...has, hasToken: false }), phone('b')]),
    STAGE.first,
    { withheld: [byUser('b')] },
  ],
  ['all have it', facts([phone('a', has)]), STAGE.grace, {}],
  [
    'no phone takes notifications',
    facts([phone('a', { hasToken: false })]),
    STAGE.first,
    { withheld: [{ reason: 'no_token' }] },
  ],
  ['no phone at all', facts([]), STAGE.first, { withheld: [{ reason: 'no_token' }] }],
  [
    'each by itself: the open one gets its grace',
    facts([phone('a', open), phone('b')], each),
    STAGE.first,
    { push: ['b'], next: grace },
  ],
  [
    'each by itself: whoever has it is not pushed',
    facts([phone('a', has), phone('b')], each),
    STAGE.grace,
    { push: ['b'] },
  ],
  ['always: nobody waits', facts([phone('a', open), phone('b', has)], always), STAGE.first, { push: ['a'] }],
  [
    'one has it, and somebody should read it',
    facts([phone('a', has), phone('b')], escalates),
    STAGE.first,
    { next: escalation },
  ],
  ['nobody has read it', facts([phone('a', has), phone('b')], escalates), STAGE.escalation, { push: ['b'] }],
])('%s', (_name, given, stage, expected) => {
  expect(decideNotice(given, stage, NOW)).toEqual({ push: [], withheld: [], ...(expected as object) })
})

const message = facts([]).message
const member = { notify: 'all', lastReadSeq: 8 } as const
test.each<[string, Partial<NoticeFacts>]>([
  ['deleted', { message: { ...message, isDeleted: true } }],
  ['left', { participant: undefined as never }],
  ['read', { participant: { ...member, lastReadSeq: 9 } }],
  ['muted', { participant: { ...member, mutedUntil: NOW + 1 } }],
  ['muted', { participant: { ...member, notify: 'none' } }],
  ['muted', { participant: { ...member, notify: 'mentions' } }],
  ['dnd', { dnd: true }],
  ['dnd', { settings: { ...DEFAULT_PUSH_SETTINGS, dndUntil: new Date(NOW + 1) } }],
])('%s: no phone is told, at no stage', (reason, change) => {
  for (const stage of Object.values(STAGE)) {
    const decision = decideNotice(facts([phone('a'), phone('b', open)], escalates, change), stage, NOW)
    expect(decision).toEqual({ push: [], withheld: [{ reason }] })
  }
})

test('mentions come through where nothing else does, and a mute that is over does not count', () => {
  const mentioned = {
    participant: { ...member, notify: 'mentions' as const },
    message: { ...message, mentionsHim: true },
  }
  expect(decideNotice(facts([phone('a')], {}, mentioned), STAGE.first, NOW).push).toEqual(['a'])
  const over = { participant: { ...member, mutedUntil: NOW } }
  expect(decideNotice(facts([phone('a')], {}, over), STAGE.first, NOW).push).toEqual(['a'])
})
