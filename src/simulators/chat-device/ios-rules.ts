import type { AppState } from './device-timeline.ts'

/** What a push asks for, in Apple's words. */
export interface PushWishes {
  /** `aps.alert` is there. */
  alert: boolean
  sound: boolean
  badge?: number
  mutableContent: boolean
  contentAvailable: boolean
}

export interface PhoneSituation {
  app: AppState
  /** What the person has said to "… would like to send you notifications". */
  notificationsAllowed: boolean
  /** The setting "background app refresh". */
  backgroundRefresh: boolean
  /** How many times the system will still let the app run in the background for a push. */
  wakesLeft: number
}

/** What iOS does with a push. */
export interface IosVerdict {
  /** Who decides what the person sees: the system shows it, the app is asked (`willPresent`), or nobody sees anything. */
  presenter: 'system' | 'app' | 'nobody'
  sound: boolean
  badge?: number
  /** The notification service extension may change what is shown, in a process of its own. */
  runsExtension: boolean
  /** `didReceiveRemoteNotification`: the app runs for a moment. */
  wakes: boolean
  /** Of the presenter. */
  why: string
  /** Of the waking, if the push asked for it. */
  wakeWhy?: string
}

/**
 * https://developer.apple.com/documentation/usernotifications/unusernotificationcenterdelegate,
 * https://developer.apple.com/documentation/usernotifications/modifying-content-in-newly-delivered-notifications,
 * https://developer.apple.com/documentation/usernotifications/pushing-background-updates-to-your-app
 */
export function applyIosRules(push: PushWishes, phone: PhoneSituation): IosVerdict {
  return { ...presentation(push, phone), ...waking(push, phone) }
}

function presentation(
  { alert, sound, badge, mutableContent }: PushWishes,
  { app, notificationsAllowed }: PhoneSituation,
): Omit<IosVerdict, 'wakes' | 'wakeWhy'> {
  const quiet = { sound: false, runsExtension: false } as const
  if (!notificationsAllowed) return { ...quiet, presenter: 'nobody', why: 'notifications are denied' }
  if (!alert && !sound && badge === undefined) {
    return { ...quiet, presenter: 'nobody', why: 'it has nothing to show' }
  }
  const number = badge === undefined ? {} : { badge }
  // Only what is shown can be changed before it is shown.
  const runsExtension = alert && mutableContent
  if (app === 'foreground') {
    return { presenter: 'app', sound, ...number, runsExtension, why: 'the app is in the foreground' }
  }
  if (!alert) return { ...quiet, presenter: 'nobody', sound, ...number, why: 'it is a number for the icon' }
  return { presenter: 'system', sound, ...number, runsExtension, why: `the app is ${NAMES[app]}` }
}

const NAMES = {
  foreground: 'in the foreground',
  background: 'in the background',
  suspended: 'suspended',
  terminated: 'not running',
  'force-quit': 'force-quit',
} as const satisfies Record<AppState, string>

function waking(
  { contentAvailable }: PushWishes,
  { app, backgroundRefresh, wakesLeft }: PhoneSituation,
): Pick<IosVerdict, 'wakes' | 'wakeWhy'> {
  if (!contentAvailable) return { wakes: false }
  switch (app) {
    case 'foreground':
    case 'background':
      return { wakes: true, wakeWhy: `the app is ${NAMES[app]}` }
    case 'force-quit':
      return { wakes: false, wakeWhy: 'the person has force-quit the app' }
    case 'suspended':
    case 'terminated':
      if (!backgroundRefresh) return { wakes: false, wakeWhy: 'background app refresh is off' }
      if (wakesLeft === 0) return { wakes: false, wakeWhy: 'the app has used up its background time' }
      return { wakes: true, wakeWhy: `the app is ${NAMES[app]}` }
  }
}
