import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HOUR, MINUTE, SECOND } from '../../src/lib/units.ts'
import { RETRY_PAUSES_MS } from '../../src/webhooks/retry-schedule.ts'
import { startProgram } from '../support/cluster.ts'
import { until } from '../support/conditions.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { openWebhookNodes } from '../support/webhook-node.ts'
import { type ReceivedWebhook, startWebhookReceiver } from '../support/webhook-receiver.ts'

/** docs/webhooks.md is what owners build on. */
const docs = readFileSync(join(import.meta.dirname, '../../docs/webhooks.md'), 'utf8')

test('the guide promises the pauses that there are', () => {
  const rows = [...docs.matchAll(/^\| (\d+) \| (\d+) (s|min|h) \|$/gm)]
  const units: Record<string, number> = { s: SECOND, min: MINUTE, h: HOUR }
  expect(rows.map(([, , count, unit = '']) => Number(count) * (units[unit] ?? 0))).toEqual([
    ...RETRY_PAUSES_MS,
  ])
  expect(rows.map(([, attempt]) => Number(attempt))).toEqual(RETRY_PAUSES_MS.map((_, index) => index + 2))
})

test('its receiver for Node takes what Wakeline sends, and nothing else', async () => {
  await using nodes = await openWebhookNodes()
  await using directory = await temporaryDirectory()
  const program = join(directory.path, 'receiver.mjs')
  await writeFile(program, /```js\n([\s\S]*?)```/.exec(docs)?.[1] ?? '')

  // A receiver of ours keeps what came, and leaves its port and its secret to theirs.
  const recorder = await startWebhookReceiver()
  const tenantId = await nodes.givenTenant()
  const webhook = await nodes.webhooks.create(tenantId, recorder.url)
  await nodes.webhooks.announce(tenantId, { type: 'token.invalidated', data: { extension: 'Zoë' } })
  await nodes.deliverDue()
  // One that was genuine six minutes ago.
  nodes.pass(-6 * MINUTE)
  await nodes.webhooks.test(tenantId, webhook.id)
  await nodes.deliverDue()
  nodes.pass(6 * MINUTE)
  await recorder[Symbol.asyncDispose]()
  const env = { PORT: String(recorder.port), WEBHOOK_SECRET: webhook.secret }
  await using receiver = startProgram('receiver', [program], env)
  await until(() => receiver.output().includes('listening'), { description: 'it listens' })

  const eventId = await nodes.webhooks.test(tenantId, webhook.id)
  await nodes.deliverDue()
  await until(() => receiver.output().includes('webhook.test'), { description: 'it says what happened' })
  // The second secret of a rotation is the one it knows; the event is one it has seen.
  await nodes.webhooks.rotate(tenantId, webhook.id)
  await nodes.webhooks.redeliver(tenantId, webhook.id, eventId)
  await nodes.deliverDue()
  expect(await nodes.webhooks.list(tenantId)).toMatchObject([
    { last: { state: 'delivered', lastStatus: 204 } },
  ])
  expect(receiver.output().match(/webhook\.test/g)).toHaveLength(1)

  const [recorded, older] = recorder.received
  if (!recorded || !older) throw new Error('nothing was recorded')
  const signature = String(recorded.headers['wakeline-signature'])
  const [t = '', v1 = ''] = signature.split(',')
  const later = `t=${Math.floor(Date.now() / SECOND) + 1},${v1}`
  const forged: [string, Partial<ReceivedWebhook>, string][] = [
    ['an altered body', { body: `${recorded.body} ` }, signature],
    ['another time', {}, later],
    ['what somebody has kept', older, String(older.headers['wakeline-signature'])],
    ['no time', {}, v1],
    ['no signature', {}, t],
    ['a short one', {}, `${t},${v1.slice(0, 20)}`],
    ['an empty one', {}, `${t},v1=`],
    ['another version', {}, `${t},${v1.replace('v1', 'v0')}`],
    ['nothing', {}, ''],
  ]
  const send = async (body: string, header: string) => {
    const headers = { 'wakeline-signature': header }
    return (await fetch(recorder.url, { method: 'POST', body, headers })).status
  }
  expect(await send(recorded.body, signature)).toBe(204)
  for (const [what, change, header] of forged) {
    expect([what, await send(change.body ?? recorded.body, header)]).toEqual([what, 400])
  }
  await until(() => receiver.output().includes('Zoë'), { description: 'what was recorded was genuine' })
})
