import type { ApnsEnvironment } from '../apns-protocol.ts'
import type { ApnsArrival } from './ios-push.ts'
import { createMessenger, type Messenger } from './messenger.ts'
import {
  type ChatPhoneOptions,
  createPhoneParts,
  createSurroundings,
  listenForPushes,
  lookAt,
} from './phone-parts.ts'
import { type IphoneParts, takeIosPush } from './take-ios-push.ts'

export interface IphoneOptions extends ChatPhoneOptions<ApnsArrival> {
  /** Where the token was issued; Wakeline finds it out if it is not told. */
  environment?: ApnsEnvironment
}

export type Iphone = ReturnType<typeof createIphone>

/** An iPhone with the messenger on it, in the hands of a person. Everything that it does is in its timeline. */
export function createIphone(options: IphoneOptions) {
  const { line, environment } = options
  const base = createPhoneParts(options, 'apns')
  const parts: IphoneParts = { ...base, backgroundRefresh: { isOn: true }, wakes: [] }
  if (environment) parts.phone.environment = environment
  const messenger = createMessenger(parts)
  const pushes = listenForPushes(parts, line, (push) => takeIosPush(parts, messenger, push))
  const surroundings = createSurroundings(parts, line)
  const close = () => {
    pushes.stop()
    messenger.die()
  }
  return Object.assign(lookAt(parts), {
    ...createHand(parts, messenger, surroundings.unlock),
    ...surroundings,
    send: messenger.send,
    converse: messenger.converse,
    loseConnection: messenger.loseConnection,
    backgroundRefresh(isOn: boolean): void {
      parts.backgroundRefresh.isOn = isOn
    },
    /** Apple gives it another token, as after a restore; the app tells Wakeline at its next start. */
    async changeToken(token: string): Promise<void> {
      pushes.changesToken(token)
      await messenger.changeToken(token)
    },
    /** Every push that has arrived is dealt with. */
    settled: pushes.settled,
    close,
    [Symbol.dispose]: close,
  })
}

/** What the person does. */
function createHand(parts: IphoneParts, messenger: Messenger, unlock: () => void) {
  const { center, lock, memory, os } = parts
  const isRunning = () => os.state !== 'terminated' && os.state !== 'force-quit'
  const start = async (why: string): Promise<void> => {
    unlock()
    const how = isRunning() ? 'the app comes to the front' : 'the app starts'
    os.become('foreground', `${why}: ${how}`)
    await messenger.enter(why)
  }
  const end = (state: 'terminated' | 'force-quit', why: string) => {
    messenger.die()
    os.become(state, why)
  }
  return {
    async logIn(extension: string, password: string): Promise<void> {
      os.become('foreground', 'somebody logs in')
      await messenger.logIn(extension, password)
    },
    logOut: messenger.logOut,
    /** Taps the icon. */
    open: () => start('opened'),
    show: messenger.show,
    showList: messenger.showList,
    /** Taps a notification, the newest if none is given: the app opens with what it is about. */
    async tap(notification = center.shown.at(-1)): Promise<void> {
      if (!notification) throw new Error('there is no notification to tap')
      center.dismiss(notification)
      memory.screen = notification.conversationId
      await start('a tap')
    },
    /** Goes to the home screen; the app runs on for a moment. */
    async home(): Promise<void> {
      os.become('background', 'the person left the app')
      await messenger.leave()
    },
    /** The moment is over. @param how Whether the app has closed its connection in time. */
    suspend({ leavingSocketOpen = false } = {}): void {
      os.become('suspended', 'its moment is over')
      messenger.freeze(leavingSocketOpen)
    },
    /** The system needs the memory. */
    terminate: () => end('terminated', 'the system needed the memory'),
    /** Swiped away. */
    forceQuit: () => end('force-quit', 'the person swiped it away'),
    /** Switched off and on again, and not yet unlocked. */
    reboot(): void {
      end('terminated', 'the phone was restarted')
      lock.hasBeenUnlocked = false
    },
    unlock,
  }
}
