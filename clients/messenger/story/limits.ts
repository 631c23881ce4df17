import { messageIn } from '../frame.ts'
import { pageBack } from '../history.ts'
import type { Refused } from '../http.ts'
import { isFields } from '../json.ts'
import { patiently } from '../patience.ts'
import type { Draft, Message } from '../types.ts'
import { check, refusal, same } from './report.ts'
import { conversationOf, ids, type World } from './world.ts'

interface Live {
  readonly draft: Draft
  readonly place: number
}

const AT_ONCE = 10

export async function limits(world: World, most: number): Promise<void> {
  const { report, alice } = world
  await report.step('a message that is too large is refused', async () => {
    await refusal(alice.api.send(alice.draft(conversationOf(world), 'x'.repeat(300_000))), [400, 413, 422])
  })
  const waits: Refused[] = []
  const sent: Message[] = []
  const live: Live[] = []
  await report.step('who sends too fast is refused, and waits as long as it is told to', async () => {
    for (let n = 0; waits.length === 0; n += AT_ONCE) {
      if (n >= most) throw new Error(`expected a 429 within ${most} messages, got none`)
      sent.push(...(await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => one(n + i)))))
    }
    const [first] = waits
    check(first !== undefined && first.retryAfterMs !== null, 'a Retry-After', first?.message)
    const { body } = first
    check(isFields(body) && 'error' in body && first.code !== null, 'error and code', first.message)
    const tries = sent.length + waits.length
    report.note(`refused ${waits.length} of ${tries}, Retry-After ${first.retryAfterMs / 1000} s`)
    // Whoever waits as long as it is told to must not be told to wait over and over.
    check(waits.length <= AT_ONCE * 2, `at most ${AT_ONCE * 2} refusals`, waits.length)
  })
  await report.step('what was refused and sent again is there, and once', async () => {
    const all = ids(await pageBack(alice.api, conversationOf(world), 200))
    same(all.length, new Set(all).size, 'none twice:')
    const lost = ids(sent).filter((id) => !all.includes(id))
    same(lost, [], 'lost:')
    same(new Set(ids(sent)).size, sent.length, 'a message for each draft:')
  })
  await report.step('the limit holds over the WebSocket too, and the sender is told of it', async () => {
    await overSocket(world, live[0])
  })

  function one(n: number): Promise<Message> {
    const draft = alice.draft(conversationOf(world), `Fast ${n}`)
    return patiently(
      () => alice.api.send(draft),
      (refused) => {
        waits.push(refused)
        if (live.length > 0) return
        // While there is no room: what comes of it is looked at later.
        const during = alice.draft(conversationOf(world), 'Fast, over the WebSocket')
        live.push({ draft: during, place: alice.log.end })
        alice.socket.send('message.send', { ...during })
      },
    )
  }
}

async function overSocket({ report, alice }: World, sent: Live | undefined): Promise<void> {
  check(sent !== undefined, 'a refusal, during which something was sent', 'none')
  const { draft, place } = sent
  const since = alice.log.since(place)
  const refused = since.find(({ type, fields }) => type === 'error' && typeof fields.code === 'string')
  check(refused !== undefined, 'a frame of an error with a code', since.slice(0, 3))
  report.note(`what was sent over the WebSocket meanwhile was answered with ${JSON.stringify(refused)}`)
  const wait = refused.fields.retryAfter ?? refused.fields.retry_after
  check(typeof wait === 'number', 'how long to wait', refused)
  const created = since.some((frame) => messageIn(frame)?.clientId === draft.clientId)
  check(!created, 'no message.created of what was refused', since)
  const message = await alice.sendLive(draft)
  same(message.content, draft.content, 'sent again, the message')
}
