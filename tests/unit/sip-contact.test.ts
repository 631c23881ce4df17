import fc from 'fast-check'
import { tokensOfContact, withoutTokens } from '../../src/pbx/contact.ts'

const token = 'ab'.repeat(32)
const cases: [string, string, string[]][] = [
  [
    'RFC 8599',
    `<sip:1001@10.0.0.7;transport=tls;pn-provider=apns;pn-prid=${token};pn-param=T.app.voip>;expires=300`,
    [token],
  ],
  ['FlowPBX', `<sip:1001@10.0.0.7;pn-tok=${token};pn-type=apns>`, [token]],
  ['Flexisip with two tokens', `<sip:u@h;pn-prid=${token}:voip&cdef:remote>`, [token, 'cdef']],
  ['an FCM token, escaped', '<sip:u@h;pn-provider=fcm;pn-prid=abc%3AAPA91b-x_y>', ['abc:APA91b-x_y']],
  ['a parameter of the header field', `<sip:u@h>;pn-prid="${token}"`, [token]],
  ['names in capitals', `<sip:u@h;PN-PRID=${token}>`, [token]],
  ['a desk phone', '<sip:desk@10.0.0.9:5060;transport=udp>;expires=3600', []],
  ['no value', '<sip:u@h;pn-prid=>', []],
  ['nothing', '', []],
  ['a lone percent sign', '<sip:u@h;pn-prid=a%zz>', ['a%zz']],
]
test.each(cases)('%s', (_name, contact, tokens) => {
  expect(tokensOfContact(contact)).toEqual(tokens)
})

test('whatever a phone sends, the answer is a list of non-empty tokens', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (contact) => {
      for (const found of tokensOfContact(contact)) expect(found).not.toBe('')
    }),
  )
})

test('any token survives the way through a contact', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9:_-]{8,200}$/), (original) => {
      fc.pre(!/:(voip|remote)$/.test(original))
      expect(tokensOfContact(`<sip:u@h;pn-prid=${encodeURIComponent(original)};x=y>`)).toEqual([original])
    }),
  )
})

test.each(cases)('%s is kept without its tokens', (_name, contact, tokens) => {
  const kept = withoutTokens(contact)
  for (const token of tokens) expect(kept).not.toContain(token)
  expect(tokensOfContact(kept)).toEqual([])
  expect(kept.startsWith(contact.slice(0, 8))).toBe(true)
})

test('what else stands in a contact is kept', () => {
  const contact = '<sip:1001@10.0.0.7;transport=tls;pn-provider=apns;PN-PRID="a b";ob>;expires=300'
  expect(withoutTokens(contact)).toBe('<sip:1001@10.0.0.7;transport=tls;pn-provider=apns;ob>;expires=300')
})

test('no token survives, whatever stands around it', () => {
  const around = fc.stringMatching(/^[;=<>"? a-z:@&-]{0,20}$/)
  fc.assert(
    fc.property(around, around, (before, after) => {
      expect(tokensOfContact(withoutTokens(`<sip:u@h${before};pn-prid=${token}${after}`))).not.toContain(
        token,
      )
    }),
  )
})
