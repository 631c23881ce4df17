import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { simulatedToken } from '../../embedded/simulated-tokens.ts'
import { StartError } from '../../lib/start-error.ts'
import { SECOND } from '../../lib/units.ts'
import { createIphone, type Iphone } from '../../simulators/chat-device/iphone.ts'
import { requestJson } from '../http-json.ts'
import { createPbxClient } from '../pbx-client.ts'
import type { Target } from '../run-demo.ts'
import { openRemoteLine, type RemoteLine } from './remote-line.ts'

const ADA = { extension: '9011', name: 'Ada' }
const BOB = { extension: '9012', name: 'Bob' }

/** What is longer is not as it should be. */
const PATIENCE = 8 * SECOND
const LOOK_EVERY = 10

/** Two people with their phones. */
export interface Cast extends AsyncDisposable {
  ada: Iphone
  bob: Iphone
  /** Bob's other device, once he has it. */
  readonly tablet: Iphone | undefined
  bringTablet(): Promise<Iphone>
  conversationId: string
  line: RemoteLine
  /** What must never happen to a phone, and did. */
  errors: readonly Error[]
  /** Ada writes to Bob. */
  says(text: string): Promise<string>
  /** Whether Ada sees that Bob has read a message. */
  isSeenRead(messageId: string): boolean
  /** Waits for something that has to happen; whether it did is for the judge. */
  waitFor(condition: () => boolean): Promise<void>
}

/** Ada and Bob get extensions of the PBX and log in on their phones; afterwards the phones are gone again. */
export async function gatherCast({ url, pbxKey, simulatorsUrl }: Target, told: AbortSignal): Promise<Cast> {
  await using opened = new AsyncDisposableStack()
  const errors: Error[] = []
  const onError = (error: Error) => void errors.push(error)
  const line = opened.use(await openRemoteLine(simulatorsUrl, { signal: told, onError }))
  const pbx = createPbxClient(url, pbxKey, told)
  const password = randomBytes(16).toString('hex')
  for (const { extension, name } of [ADA, BOB]) await pbx.putExtension(extension, name, password)

  let stack = () => opened
  const givePhone = async ({ extension }: typeof ADA, kind: string): Promise<Iphone> => {
    const deviceId = `demo-${extension}-${kind}`
    const phone = createIphone({ url, line, deviceId, token: simulatedToken('apns'), onError })
    stack().defer(async () => {
      await phone.logOut()
      phone.close()
    })
    await phone.logIn(extension, password)
    return phone
  }
  const ada = await givePhone(ADA, 'phone')
  const bob = await givePhone(BOB, 'phone')
  const conversationId = await ada.converse(BOB.extension)
  if (conversationId === undefined) throw new StartError('Ada could not open a conversation with Bob.')
  // What an earlier demo has left.
  await bob.show(conversationId)
  let tablet: Iphone | undefined
  const running = opened.move()
  stack = () => running
  return {
    ...{ ada, bob, conversationId, line, errors },
    get tablet() {
      return tablet
    },
    async bringTablet() {
      tablet = await givePhone(BOB, 'tablet')
      // Each of his devices is to show what it does not have.
      await requestJson(new URL('/api/v1/app/push-settings', url), {
        method: 'PUT',
        headers: { authorization: `Bearer ${tablet.sessionToken}` },
        body: { push_when: 'this_device_not_acked' },
        signal: told,
      })
      return tablet
    },
    async says(text) {
      const message = await ada.send(conversationId, text)
      if (!message) throw new StartError('What Ada wrote was not taken.')
      return message.id
    },
    isSeenRead: (messageId) =>
      ada.timeline
        .of('receipt')
        .some(({ receipt, seq }) => receipt === 'read' && seq === ada.store.get(messageId)?.seq),
    async waitFor(condition) {
      const end = performance.now() + PATIENCE
      while (!condition() && performance.now() < end) {
        await delay(LOOK_EVERY)
        told.throwIfAborted()
      }
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
