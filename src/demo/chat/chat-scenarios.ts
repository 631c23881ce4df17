import type { Iphone } from '../../simulators/chat-device/iphone.ts'
import type { Cast } from './chat-cast.ts'
import { type ChatCheck, check } from './judge-chat.ts'

/** Something between Ada and Bob, and how it has to go. */
export interface ChatScenario {
  title: string
  about: string
  /** Plays it, and tells what there is to check. */
  play(cast: Cast): Promise<ChatCheck[]>
  /** What it shows, when all is well. */
  moral: string
}

/** Played one after the other with the same phones. */
export const CHAT_SCENARIOS: readonly ChatScenario[] = [
  {
    title: 'A phone asleep, its app swiped away',
    about: 'Ada to Bob',
    moral: 'Two messages, one notification that counts, and a tap that opens what was missed.',
    async play({ bob, conversationId, isSeenRead, says, waitFor, line }) {
      bob.forceQuit()
      const first = await says('Are you coming?')
      await waitFor(() => bob.badge === 1)
      const second = await says('The soup is getting cold.')
      await waitFor(() => bob.badge === 2)
      const shown = bob.notifications.map(({ title, subtitle, body }) => [title, subtitle, body].join(' | '))
      await openByTap(bob)
      await waitFor(() => bob.badge === 0)
      await waitFor(() => isSeenRead(second))
      const opened = bob.timeline.of('open').at(-1)
      return [
        check(
          'one notification of two messages',
          ['Ada | 2 unread messages | The soup is getting cold.'],
          shown,
        ),
        check('two pushes at Apple', 2, line.requestsTo(bob.token).filter(isMessage).length),
        check(
          'the app not woken, as iOS has it',
          [false, false],
          bob.timeline.of('wake').map(({ woken }) => woken),
        ),
        check('the conversation open', conversationId, bob.screen),
        check('both messages fetched', [first, second], opened?.fresh),
        check('nothing unread', 0, bob.badge),
        check('read by Bob, as Ada sees', true, isSeenRead(second)),
      ]
    },
  },
  {
    title: 'The app is open before his eyes',
    about: 'Ada to Bob',
    moral: 'What a phone has is not pushed to it.',
    async play({ bob, isSeenRead, says, waitFor, line }) {
      await waitFor(() => bob.isConnected)
      const before = line.requestsTo(bob.token).filter(isMessage).length
      const message = await says('Ah, there you are.')
      await waitFor(() => bob.store.has(message))
      await waitFor(() => isSeenRead(message))
      return [
        check('the message on the phone', true, bob.store.has(message)),
        check('no push to the open phone', before, line.requestsTo(bob.token).filter(isMessage).length),
        check('read at once', true, isSeenRead(message)),
        check('no notification', [], bob.notifications),
      ]
    },
  },
  {
    title: 'Read on one device, gone on the other',
    about: 'Ada to Bob, who has two',
    moral: 'What Bob reads on his phone is taken back from his tablet.',
    async play({ bob, bringTablet, conversationId, says, waitFor, line }) {
      const tablet = await bringTablet()
      await tablet.home()
      tablet.suspend()
      bob.forceQuit()
      await says('Look at either of them.')
      await waitFor(() => bob.notifications.length > 0 && tablet.notifications.length > 0)
      const shown = [bob.notifications.length, tablet.notifications.length]
      await openByTap(bob)
      await waitFor(() => tablet.notifications.length === 0 && tablet.badge === 0)
      await tablet.settled()
      const last = line.requestsTo(tablet.token).at(-1)
      return [
        check('a notification on each', [1, 1], shown),
        check('none on the tablet any more', [], tablet.notifications),
        check('no number on the tablet', 0, tablet.badge),
        check('a push that says what to take back', conversationId, last?.payload.cleared_conversations),
      ]
    },
  },
]

const isMessage = ({ payload }: { payload: Record<string, unknown> }): boolean =>
  payload.type === 'chat_message'

/** Whoever has no notification opens the app by its icon. */
const openByTap = (phone: Iphone): Promise<void> =>
  phone.notifications.length > 0 ? phone.tap() : phone.open()
