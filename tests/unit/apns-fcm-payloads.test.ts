import fc from 'fast-check'
import {
  createApnsRequest,
  MAX_PAYLOAD,
  MAX_VOIP_PAYLOAD,
} from '../../src/push/providers/apns/apns-notification.ts'
import { createFcmMessage, MAX_DATA } from '../../src/push/providers/fcm/fcm-message.ts'
import { isReservedDataKey, PAYLOAD_KEYS } from '../../src/push/providers/payload-content.ts'
import type { Push } from '../../src/push/push.ts'
import { PRIVACY_MODES, PUSH_KINDS, type PushKind } from '../../src/push/push-kinds.ts'
import { apnsPush, fcmPush } from '../support/provider-pushes.ts'

/** What must hold for any content. */

const ID_LENGTH = 40
/** Text as people write it, from nothing to far more than fits: letters, clusters of code points, escapes, halves of pairs. */
const character = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
  fc.constantFrom('👩‍👩‍👧‍👦', 'ü', 'e\u0301', '"', '\\', '\n', '\ud83d', 'a', '🇩🇪'),
)
const text = fc.oneof(
  { weight: 2, arbitrary: fc.string({ unit: character, maxLength: 60 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.string({ unit: character, minLength: 1, maxLength: 8 }), fc.nat(900))
      .map(([s, n]) => s.repeat(n)),
  },
)
const id = fc.string({ minLength: 1, maxLength: ID_LENGTH, unit: 'grapheme-ascii' })
const key = fc.oneof(fc.constantFrom(...PAYLOAD_KEYS, 'aps', 'from', 'gcm.a', '__proto__'), id)
const data = fc.dictionary(key, fc.string({ maxLength: 30 }), { maxKeys: 8 })
const few = fc.record({ badge: fc.nat(99), data }, { requiredKeys: [] })
const caller = fc.record({ callerId: id, callerName: text }, { requiredKeys: ['callerId'] })

const CONTENT: Record<PushKind, fc.Arbitrary<object>> = {
  call: fc.tuple(fc.record({ callId: id, callUuid: fc.uuid() }), caller).map(([a, b]) => ({ ...a, ...b })),
  cancel: fc.record({ callId: id, callUuid: fc.uuid(), cause: fc.constant('cancelled') }),
  missed_call: fc.tuple(fc.record({ callId: id }), caller, few).map((parts) => Object.assign({}, ...parts)),
  voicemail: fc
    .tuple(fc.record({ voicemailId: id, callId: id, durationSeconds: fc.nat(9_999) }), caller, few)
    .map((parts) => Object.assign({}, ...parts)),
  message: fc
    .tuple(
      fc.record(
        { messageId: id, conversationId: id, senderName: text, title: text, text, sound: id },
        { requiredKeys: ['messageId', 'text'] },
      ),
      few,
    )
    .map((parts) => Object.assign({}, ...parts)),
  badge: fc.record({ badge: fc.nat(99) }),
  background: few.map(({ data: given }) => (given ? { data: given } : {})),
}

interface Sample {
  kind: PushKind
  content: object
  changes: Partial<Push>
}

const sample: fc.Arbitrary<Sample> = fc
  .tuple(
    fc.constantFrom(...PUSH_KINDS),
    fc.constantFrom(...PRIVACY_MODES),
    fc.option(text, { nil: undefined }),
  )
  .chain(([kind, privacy, collapseId]) =>
    CONTENT[kind].map((content) => ({
      kind,
      // In full, so that nothing of the fixtures is left.
      content: { title: undefined, senderName: undefined, ...content },
      changes: { privacy, ...(collapseId !== undefined && { collapseId }) },
    })),
  )

const IDS = ['callUuid', 'callId', 'voicemailId', 'messageId', 'conversationId', 'cause'] as const

const TYPES = [
  ...['incoming_call', 'call_cancelled', 'missed_call', 'voicemail', 'chat_message', 'badge', 'background'],
]

/** Every id of the content, as the phone must find it. */
const idsOf = (push: Push): string[] =>
  IDS.flatMap((name) => (push.content as unknown as Record<string, string>)[name] ?? [])

/** Whether a text is a beginning of another one, ended between two characters. */
function isBeginning(part: string | undefined, whole: string | undefined): boolean {
  if (part === undefined) return true
  const full = (whole ?? '').toWellFormed()
  if (!full.startsWith(part)) return false
  return part === full || [...new Intl.Segmenter().segment(full)].some(({ index }) => index === part.length)
}

function expectOwnData(payload: Record<string, unknown>, push: Push): void {
  const given = ('data' in push.content && push.content.data) || {}
  for (const [name, value] of Object.entries(given)) {
    if (isReservedDataKey(name)) continue
    expect(Object.entries(payload)).toContainEqual([name, value])
  }
  expect(TYPES).toContain(payload.type)
}

test('any content becomes a payload that Apple takes', () => {
  fc.assert(
    fc.property(sample, ({ kind, content, changes }) => {
      const push = apnsPush(kind, changes, content as never)
      const request = createApnsRequest(push, 'com.example.app')
      const body = request?.body ?? ''
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(kind === 'call' ? MAX_VOIP_PAYLOAD : MAX_PAYLOAD)
      const payload = JSON.parse(body) as Record<string, unknown>
      for (const one of idsOf(push)) expect(Object.values(payload)).toContain(one)
      if (kind === 'call') {
        expect(payload).not.toHaveProperty('aps')
        expect(request).not.toHaveProperty('collapseId')
      } else {
        expect(payload).toMatchObject({ aps: expect.any(Object), push_id: push.id })
        expect(request?.collapseId).toMatch(/^[\x21-\x7e]{1,64}$/)
      }
      expectOwnData(payload, push)
      const said = push.content as unknown as Record<string, string>
      const alert = (payload.aps as { alert?: Record<string, string> } | undefined)?.alert
      expect(isBeginning(alert?.body, said.text)).toBe(true)
      expect(isBeginning(payload.caller_name as string | undefined, said.callerName)).toBe(true)
      expect(isBeginning(payload.sender_name as string | undefined, said.senderName)).toBe(true)
      if (push.privacy === 'wake') expect(payload).not.toHaveProperty('caller_id')
    }),
    { numRuns: 500 },
  )
})

test('any content becomes a message that Google takes', () => {
  fc.assert(
    fc.property(sample, ({ kind, content, changes }) => {
      const push = fcmPush(kind, changes, content as never)
      const payload = createFcmMessage(push, push.acceptedAt)?.data ?? {}
      const size = Buffer.byteLength(Object.entries(payload).flat().join(''))
      expect(size).toBeLessThanOrEqual(MAX_DATA)
      for (const one of idsOf(push)) expect(Object.values(payload)).toContain(one)
      for (const [name, value] of Object.entries(payload)) {
        expect(typeof value).toBe('string')
        expect(name).not.toMatch(/^$|^from$|^message_type$|^aps$|^google\.|^gcm\./)
      }
      expectOwnData(payload, push)
      const said = push.content as unknown as Record<string, string>
      expect(isBeginning(payload.text, said.text)).toBe(true)
      expect(isBeginning(payload.caller_name, said.callerName)).toBe(true)
      expect(isBeginning(payload.sender_name, said.senderName)).toBe(true)
      if (push.privacy !== 'full') expect(payload).not.toHaveProperty('text')
      if (push.privacy === 'wake') expect(payload).not.toHaveProperty('caller_id')
    }),
    { numRuns: 500 },
  )
})
