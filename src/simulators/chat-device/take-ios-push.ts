import { HOUR } from '../../lib/units.ts'
import { type ApnsArrival, type IosPush, readIosPush } from './ios-push.ts'
import { applyIosRules, type IosVerdict } from './ios-rules.ts'
import type { Messenger } from './messenger.ts'
import type { ShownNotification } from './notification-center.ts'
import type { PhoneParts } from './phone-parts.ts'

/** Apple names two or three: https://developer.apple.com/documentation/usernotifications/pushing-background-updates-to-your-app */
const WAKES_PER_HOUR = 3

/** What an iPhone has besides. */
export interface IphoneParts extends PhoneParts {
  backgroundRefresh: { isOn: boolean }
  /** When the app was woken, in milliseconds since the epoch. */
  wakes: number[]
}

/** What becomes of a push: first what the system decides, then what the app does with it. */
export async function takeIosPush(
  parts: IphoneParts,
  messenger: Messenger,
  arrival: ApnsArrival,
): Promise<void> {
  const { center, os } = parts
  const push = readIosPush(arrival)
  const verdict = applyIosRules(push.wishes, {
    app: os.state,
    notificationsAllowed: center.isAllowed,
    backgroundRefresh: parts.backgroundRefresh.isOn,
    wakesLeft: wakesLeft(parts),
  })
  const notification = verdict.runsExtension
    ? await runExtension(parts, messenger, push)
    : { ...push.notification, withSound: verdict.sound }
  if (verdict.presenter === 'app') await willPresent(parts, messenger, push, notification)
  else {
    if (verdict.presenter === 'system') center.show(notification)
    if (verdict.badge !== undefined) center.setBadge(verdict.badge)
    notePush(parts, push, verdict.presenter === 'system' ? 'shown' : 'silent', verdict.why)
  }
  await wake(parts, messenger, push, verdict)
}

function wakesLeft({ wakes, clock }: IphoneParts): number {
  const recent = wakes.filter((at) => at > clock.now() - HOUR)
  wakes.splice(0, wakes.length, ...recent)
  return Math.max(0, WAKES_PER_HOUR - recent.length)
}

function notePush(
  { timeline }: IphoneParts,
  { type, messageId, conversationId }: IosPush,
  outcome: 'shown' | 'presented' | 'suppressed' | 'silent',
  why: string,
): void {
  timeline.note({
    ...{ did: 'push', type, outcome, why },
    ...(messageId !== undefined && { messageId }),
    ...(conversationId !== undefined && { conversationId }),
  })
}

/** `UNNotificationServiceExtension`: fetches what the push did not say. If it cannot, what the push said is shown. */
async function runExtension(
  { timeline, os }: IphoneParts,
  messenger: Messenger,
  { notification, hidesText, messageId, conversationId }: IosPush,
): Promise<ShownNotification> {
  const done = (changed: boolean, why: string) => timeline.note({ did: 'extension', changed, why })
  if (!hidesText || messageId === undefined || conversationId === undefined) {
    done(false, 'the push says all that is to be shown')
    return notification
  }
  const message = await messenger.fetchText(conversationId, messageId, AbortSignal.timeout(os.momentMs))
  if (!message || message.isDeleted) {
    done(false, message ? 'the message was deleted' : 'the text could not be fetched')
    return notification
  }
  done(true, 'the text was fetched')
  return { ...notification, body: message.content }
}

/** `userNotificationCenter(_:willPresent:withCompletionHandler:)` of the app. */
async function willPresent(
  parts: IphoneParts,
  messenger: Messenger,
  push: IosPush,
  notification: ShownNotification,
): Promise<void> {
  const { center, memory, store } = parts
  const { messageId, conversationId, wishes, cleared } = push
  const isHere = messageId !== undefined && store.has(messageId)
  const isOpen = conversationId !== undefined && memory.screen === conversationId
  if (!isHere && isOpen) await messenger.show(conversationId)
  else if (!isHere && messageId !== undefined) await messenger.catchUp('a push')
  if (wishes.badge !== undefined) center.setBadge(wishes.badge)
  for (const each of cleared) center.takeBack(each)

  if (!wishes.alert) notePush(parts, push, 'silent', 'it is a number for the icon')
  else if (isOpen) notePush(parts, push, 'suppressed', 'the conversation is open')
  else if (isHere) notePush(parts, push, 'suppressed', 'the app has the message already')
  else {
    center.show(notification)
    notePush(parts, push, 'presented', 'the app had not got the message')
  }
}

/** `application(_:didReceiveRemoteNotification:fetchCompletionHandler:)` of the app, if the system lets it run. */
async function wake(
  parts: IphoneParts,
  messenger: Messenger,
  { cleared }: IosPush,
  { wakes, wakeWhy, presenter }: IosVerdict,
): Promise<void> {
  const { os, timeline, center, clock } = parts
  if (wakeWhy === undefined) return
  const before = os.state
  // `willPresent` has done all that there is to do.
  if (before === 'foreground' && presenter === 'app') return
  timeline.note({ did: 'wake', woken: wakes, why: wakeWhy })
  if (!wakes) return
  const mustBeStarted = before === 'suspended' || before === 'terminated'
  if (mustBeStarted) {
    parts.wakes.push(clock.now())
    os.become('background', 'woken by a push')
  }
  for (const conversationId of cleared) center.takeBack(conversationId)
  await messenger.catchUp('a push', AbortSignal.timeout(os.momentMs))
  // The person may have opened it meanwhile.
  if (mustBeStarted && os.state === 'background') os.become('suspended', 'its moment is over')
}
