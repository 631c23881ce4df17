import { randomUUID } from 'node:crypto'
import { type AndroidPhone, createAndroidPhone } from '../../src/simulators/chat-device/android-phone.ts'
import { createIphone, type Iphone } from '../../src/simulators/chat-device/iphone.ts'
import { appOf, givenExtension, SIP_PASSWORD } from './app-login.ts'
import { until } from './conditions.ts'
import { apnsToken, fcmToken, type GatewayOptions, startTestGateway } from './gateway.ts'

export type ChatWorld = Awaited<ReturnType<typeof startChatWorld>>

interface PhoneWishes {
  deviceId?: string
  token?: string
  momentMs?: number
  /** Of the gateway's nodes. */
  url?: string
}

/** A gateway, people who can log in, and their phones. What must never happen to a phone fails the test at its end. */
export async function startChatWorld(options: GatewayOptions, people: Record<string, string>) {
  await using opened = new AsyncDisposableStack()
  const gateway = opened.use(await startTestGateway(options))
  for (const [number, name] of Object.entries(people)) await givenExtension(gateway, number, { name })
  const phones = new Set<Iphone | AndroidPhone>()
  const errors: Error[] = []
  opened.defer(() => {
    for (const phone of phones) phone.close()
  })
  const { apns, fcm } = gateway.simulators
  const common = ({ deviceId = `phone-${randomUUID()}`, url = gateway.url, momentMs }: PhoneWishes) => ({
    ...{ url, deviceId, onError: (error: Error) => void errors.push(error) },
    ...(momentMs !== undefined && { momentMs }),
  })

  const owed = async (): Promise<boolean> => {
    const { rows } = await gateway.context.db.raw(
      `SELECT EXISTS (SELECT FROM chat_outbox) OR EXISTS (SELECT FROM due_badges) OR EXISTS (SELECT FROM pending_pushes) AS owed`,
    )
    return rows[0].owed
  }
  /** Nothing is left to be sent, and the phones have dealt with what came, which may have led to more. */
  const atRest = async (): Promise<void> => {
    do {
      await until(async () => !(await owed()), { description: 'everything is sent' })
      await Promise.all([...phones].map((phone) => phone.settled()))
    } while (await owed())
    if (errors.length > 0) throw new AggregateError(errors, 'something happened to a phone')
  }
  const running = opened.move()
  return {
    gateway,
    atRest,
    async iphone(extension: string, wishes: PhoneWishes = {}): Promise<Iphone> {
      const phone = createIphone({ ...common(wishes), token: wishes.token ?? apnsToken(), line: apns })
      phones.add(phone)
      await phone.logIn(extension, SIP_PASSWORD)
      return phone
    },
    async android(extension: string, wishes: PhoneWishes = {}): Promise<AndroidPhone> {
      const phone = createAndroidPhone({ ...common(wishes), token: wishes.token ?? fcmToken(), line: fcm })
      phones.add(phone)
      await phone.logIn(extension, SIP_PASSWORD)
      return phone
    },
    /** What the app of the phone asks, and has to be granted. */
    async ask(phone: Iphone | AndroidPhone, method: string, path: string, body?: unknown) {
      const { status, text, json } = await appOf(gateway, phone.sessionToken ?? '')(method, path, body)
      if (status >= 300) throw new Error(`${method} ${path} was answered with ${status}: ${text}`)
      return json.data
    },
    /** Every request for the token at Apple, oldest first. */
    requestsTo: (token: string) => apns.received.filter((push) => push.token === token),
    /** Those that were to show a message. */
    messagesTo: (token: string) =>
      apns.received.filter((push) => push.token === token && push.payload.type === 'chat_message'),
    /** Why phones of an extension were not told of a message: at the decision, and at the sending. */
    async reasons(messageId: string): Promise<string[]> {
      const { rows } = await gateway.context.db.raw<{ rows: { reason: string }[] }>(
        `SELECT reason FROM withheld_pushes WHERE message_id = :messageId
         UNION ALL SELECT reason FROM push_logs WHERE state = 'skipped' AND message_id = :messageId`,
        { messageId },
      )
      return rows.map(({ reason }) => reason)
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** What everybody says who is asked to send something. */
export async function say(phone: Iphone | AndroidPhone, conversationId: string, content: string) {
  const message = await phone.send(conversationId, content)
  if (!message) throw new Error('the message was not sent')
  return message
}

export async function converse(phone: Iphone | AndroidPhone, extension: string): Promise<string> {
  const id = await phone.converse(extension)
  if (id === undefined) throw new Error('there is no conversation')
  return id
}
