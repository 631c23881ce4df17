import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { givenExtension } from '../support/app-login.ts'
import { BACKENDS, startTestGateway } from '../support/gateway.ts'

const CLIENT = fileURLToPath(new URL('../../clients/messenger/run.ts', import.meta.url))

/**
 * A messenger that was written without a look at this server has to get along with it. On both at the same time: most of it waits for
 * the minute after which it may say more.
 */
describe('a messenger of others', () => {
  test.concurrent.each(BACKENDS)(
    'plays its whole story, with %s',
    async (backend) => {
      await using gateway = await startTestGateway({ backend, patient: true })
      const accounts = ['100', '101', '102'].map((number) => ({ number, password: `sip: of ${number}` }))
      for (const { number, password } of accounts) await givenExtension(gateway, number, { password })
      const [alice, bob, stranger] = accounts.map(({ number, password }) => `${number}:${password}`)

      const { code, lines } = await play([
        ...['--url', gateway.url],
        ...['--account', `${alice}`, '--account', `${bob}`, '--stranger', `${stranger}`],
      ])

      expect(lines.filter((line) => !line.startsWith('note'))).toEqual([
        ...STEPS.map((step) => `ok    ${step}`),
        'all is well',
      ])
      expect(code).toBe(0)
    },
    180_000,
  )
})

function play(args: readonly string[]): Promise<{ code: number | string; lines: string[] }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', CLIENT, ...args],
      (error, stdout, stderr) =>
        resolve({
          code: error?.code ?? (error ? 'killed' : 0),
          lines: (stdout + stderr).split('\n').filter((line) => line !== ''),
        }),
    )
  })
}

/** Named here too: a client which left a step out would be content with anything. */
const STEPS = [
  'registering is refused',
  'login',
  'a wrong password is refused',
  'me',
  'me without a token is refused',
  'a conversation is opened',
  'opening it again gives the same one, from either side',
  'both have it in their list',
  'a WebSocket without a token, or with a wrong one, is refused',
  'a WebSocket with the token as subprotocol',
  'a WebSocket with the token in a header',
  'the other is seen coming online',
  'a message over the WebSocket comes back as message.created',
  'the other sees message.created',
  'the sender sees message.delivered',
  'the sender sees message.read',
  'the message says when it was delivered and read',
  'a message over REST reaches both connections',
  'sent again over REST, it is the same message',
  'sent at once over REST several times, it is the same message',
  'sent again over the WebSocket, it is the same message',
  'paging back in small pages loses nothing and repeats nothing',
  'a first sync by time brings a cursor',
  'the other is seen going offline',
  'messages are sent while the other is offline',
  'a sync with the cursor brings exactly what was missed',
  'the sync was a receipt for all that it brought',
  'a sync with the newest cursor brings nothing',
  'a sync with a time loses nothing, and merges without duplicates',
  'a time is taken without fractions of a second too, and in any zone',
  'a since that is neither a cursor nor a time is refused',
  'a new phone has all of both by a sync from the beginning',
  'a device is registered',
  'registered again, it is the same device',
  'with a refreshed token, it is the same device',
  'a second phone of an account is another device',
  'an Android phone is registered',
  'a phone that changes hands is registered by whoever has it',
  'the sync of a registered device is a receipt too',
  'a foreign conversation is not shown',
  'a foreign conversation takes no message over REST',
  'a foreign conversation takes no message over the WebSocket',
  'a foreign conversation is neither listed nor told of',
  'a message that is too large is refused',
  'who sends too fast is refused, and waits as long as it is told to',
  'what was refused and sent again is there, and once',
  'the limit holds over the WebSocket too, and the sender is told of it',
  'paging back over messages sent at once loses nothing',
  'a phone that comes back has what it missed and hears what is new',
  'in the end both have all messages, in the same order',
  'the list of conversations says when the last message was',
]
