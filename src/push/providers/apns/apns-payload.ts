import type { Push } from '../../push.ts'
import type { Display, PayloadContent } from '../payload-content.ts'

/** Apple's part of a payload: https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification */
interface Aps {
  alert?: {
    title?: string | undefined
    body?: string
    'loc-key'?: string
    'loc-args'?: string[]
    'subtitle-loc-key'?: string
    'subtitle-loc-args'?: string[]
  }
  badge?: number | undefined
  sound?: string
  'thread-id'?: string | undefined
  category?: string
  'mutable-content'?: 1
  'content-available'?: 1
}

/**
 * The JSON of a push. We send no words of our own: where the text is not a person's, `loc-key` names one of the app's
 * (`MISSED_CALL`, `NEW_VOICEMAIL`, `NEW_VOICEMAIL_OF` with its length, `NEW_MESSAGE`, `UNREAD_MESSAGES` with their number).
 * @param display What is left of the content's own.
 */
export function createApnsBody(push: Push, content: PayloadContent, display: Display): string {
  const { type, facts, nameKey, data } = content
  // PushKit hands the app the payload as it is; the order of keys is the one that phones have always got.
  if (push.kind === 'call') {
    const { caller_id, ...ids } = facts
    return JSON.stringify({ type, caller_id, caller_name: display.name, ...ids })
  }
  return JSON.stringify({
    ...data,
    aps: apsOf(push, content, display),
    type,
    push_id: push.id,
    ...facts,
    [nameKey]: display.name,
  })
}

function apsOf(push: Exclude<Push, { kind: 'call' }>, content: PayloadContent, display: Display): Aps {
  const { badge, sound = 'default', facts } = content
  const { title } = display
  switch (push.kind) {
    case 'cancel':
    case 'background':
      return { 'content-available': 1 }
    case 'badge':
      // Only a running app can take back what it has shown.
      return { badge, ...(facts.cleared_conversations !== undefined && { 'content-available': 1 }) }
    case 'missed_call':
      return {
        alert: { title, 'loc-key': 'MISSED_CALL' },
        badge,
        sound,
        category: 'MISSED_CALL',
        'mutable-content': 1,
      }
    case 'voicemail':
      return {
        alert: { title, ...voicemailText(facts.duration) },
        badge,
        sound,
        category: 'VOICEMAIL',
        'mutable-content': 1,
      }
    case 'message':
      return {
        alert: { title, ...messageText(display.text), ...unreadText(facts.unread_count) },
        badge,
        sound,
        'thread-id': facts.conversation_id,
        category: 'CHAT_MESSAGE',
        // The app may change what is shown, and fetch the conversation meanwhile.
        'mutable-content': 1,
        'content-available': 1,
      }
  }
}

const messageText = (text: string | undefined) =>
  text === undefined ? { 'loc-key': 'NEW_MESSAGE' } : { body: text }

/** The one that is shown takes the place of the others, so it says how many there are. */
const unreadText = (count = '1') =>
  count === '1' ? {} : { 'subtitle-loc-key': 'UNREAD_MESSAGES', 'subtitle-loc-args': [count] }

function voicemailText(duration: string | undefined) {
  if (duration === undefined) return { 'loc-key': 'NEW_VOICEMAIL' }
  const seconds = Number(duration)
  const length = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  return { 'loc-key': 'NEW_VOICEMAIL_OF', 'loc-args': [length] }
}
