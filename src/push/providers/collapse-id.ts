import { createHash } from 'node:crypto'
import type { Push } from '../push.ts'

/** Apple's limit; the characters are those that every header may carry. */
const AS_IT_IS = /^[\x21-\x7e]{1,64}$/

/**
 * What takes the place of what on the phone: the same push sent again always replaces itself. The kind is a part of it, because ids
 * are unique within their kind only.
 * @returns 1 to 64 bytes of visible ASCII.
 */
export function collapseIdOf(push: Push): string {
  const id = push.collapseId ?? `${push.kind}:${subjectOf(push)}`
  return AS_IT_IS.test(id) ? id : createHash('sha256').update(id).digest('base64url').slice(0, 22)
}

function subjectOf(push: Push): string {
  switch (push.kind) {
    case 'call':
    case 'cancel':
    case 'missed_call':
      return push.content.callId
    case 'voicemail':
      return push.content.voicemailId
    case 'message':
      return push.content.conversationId ?? push.content.messageId
    case 'badge':
      return 'icon'
    case 'background':
      return push.id
  }
}
