import { z } from 'zod'
import type { AcceptedPush } from '../push-listeners.ts'
import { createMessenger, type Messenger } from './messenger.ts'
import {
  type ChatPhoneOptions,
  createPhoneParts,
  createSurroundings,
  listenForPushes,
  lookAt,
  type PhoneParts,
} from './phone-parts.ts'

export type AndroidPhone = ReturnType<typeof createAndroidPhone>

/** `data` of a message of Google's: texts only. */
const Data = z.object({
  type: z.string(),
  message_id: z.string().optional(),
  conversation_id: z.string().optional(),
  title: z.string().default(''),
  text: z.string().optional(),
  badge: z.coerce.number().int().optional(),
  unread_count: z.string().optional(),
  cleared_conversations: z.string().optional(),
})
type Data = z.output<typeof Data>

/**
 * An Android phone with the messenger on it. Google hands data messages to the app, which shows what it likes:
 * https://firebase.google.com/docs/cloud-messaging/android/receive-messages. An app that was stopped by force gets nothing, and before
 * the first unlocking after a start none of them does that keeps its data where only its owner can read them.
 */
export function createAndroidPhone(options: ChatPhoneOptions<AcceptedPush>) {
  const parts = createPhoneParts(options, 'fcm')
  const messenger = createMessenger(parts)
  const untilUnlocked: AcceptedPush[] = []
  const pushes = listenForPushes(parts, options.line, async (push) => {
    if (!parts.lock.hasBeenUnlocked) untilUnlocked.push(push)
    else await takeData(parts, messenger, push)
  })
  const surroundings = createSurroundings(parts, options.line)
  const close = () => {
    pushes.stop()
    messenger.die()
  }
  return Object.assign(lookAt(parts), {
    ...createHand(parts, messenger),
    ...surroundings,
    send: messenger.send,
    converse: messenger.converse,
    reboot(): void {
      messenger.die()
      parts.lock.hasBeenUnlocked = false
      parts.os.become('terminated', 'the phone was restarted')
    },
    async unlock(): Promise<void> {
      surroundings.unlock()
      for (const push of untilUnlocked.splice(0)) await takeData(parts, messenger, push)
    },
    /** Every push that has arrived is dealt with. */
    settled: pushes.settled,
    close,
    [Symbol.dispose]: close,
  })
}

function createHand({ os, center, memory }: PhoneParts, messenger: Messenger) {
  const start = async (why: string): Promise<void> => {
    os.become('foreground', why)
    await messenger.enter(why)
  }
  return {
    async logIn(extension: string, password: string): Promise<void> {
      os.become('foreground', 'somebody logs in')
      await messenger.logIn(extension, password)
    },
    logOut: messenger.logOut,
    open: () => start('opened'),
    show: messenger.show,
    async tap(notification = center.shown.at(-1)): Promise<void> {
      if (!notification) throw new Error('there is no notification to tap')
      center.dismiss(notification)
      memory.screen = notification.conversationId
      await start('a tap')
    },
    /** Android lets the process sleep in the background. */
    async home(): Promise<void> {
      await messenger.leave()
      messenger.freeze(false)
      os.become('suspended', 'the person left the app')
    },
    /** In the settings of the phone: until the person opens it again. */
    forceStop(): void {
      messenger.die()
      os.become('force-quit', 'the person has stopped it')
    },
  }
}

async function takeData(parts: PhoneParts, messenger: Messenger, { payload }: AcceptedPush): Promise<void> {
  const { center, memory, os, store, timeline } = parts
  const data = Data.parse(payload)
  const { type, message_id: messageId, conversation_id: conversationId } = data
  const subject = {
    ...(messageId !== undefined && { messageId }),
    ...(conversationId !== undefined && { conversationId }),
  }
  const note = (outcome: 'presented' | 'suppressed' | 'silent', why: string) =>
    timeline.note({ did: 'push', type, outcome, why, ...subject })
  if (os.state === 'force-quit') return note('silent', 'the person has stopped the app')
  if (data.badge !== undefined) center.setBadge(data.badge)
  for (const cleared of data.cleared_conversations?.split(',') ?? []) center.takeBack(cleared)
  if (messageId === undefined || conversationId === undefined) note('silent', 'it is for the app alone')
  else if (!center.isAllowed) note('silent', 'notifications are denied')
  else if (store.has(messageId)) note('suppressed', 'the app has the message already')
  else if (os.state === 'foreground' && memory.screen === conversationId) {
    note('suppressed', 'the conversation is open')
  } else {
    center.show({ ...notificationOf(data), id: conversationId, threadId: conversationId, ...subject })
    note('presented', 'the app had not got the message')
  }
  // What was read elsewhere meanwhile is taken back by this.
  await messenger.catchUp('a push', AbortSignal.timeout(os.momentMs))
}

const notificationOf = ({ title, text, unread_count: unread = '1' }: Data) => ({
  title,
  subtitle: unread === '1' ? '' : `${unread} unread messages`,
  body: text ?? 'New message',
  withSound: true,
})
