import { randomUUID } from 'node:crypto'
import { openConnection } from './http-connection.ts'
import { httpRequest } from './http-request.ts'
import { messageTokens } from './message-tokens.ts'
import { summarize } from './summary.ts'

export interface MessageBatches {
  port: number
  licenseKey: string
  count: number
}

const BATCH = 500

/** Chat messages by `POST /v1/push/batch`, one batch after the other. */
export async function messageBatches({ port, licenseKey, count }: MessageBatches) {
  const connection = await openConnection(port)
  const tokens = messageTokens()
  const answerMs: number[] = []
  let accepted = 0
  const start = performance.now()
  for (let sent = 0; sent < count; sent += BATCH) {
    const pushes = Array.from({ length: Math.min(BATCH, count - sent) }, (_, i) => ({
      id: String(i),
      kind: 'message',
      push_platform: 'fcm',
      push_token: tokens[(sent + i) % tokens.length],
      message_id: randomUUID(),
      sender_name: 'Ada Lovelace',
      text: 'The engine can arrange and combine its numerical quantities.',
      ttl: 3_600,
    }))
    const begin = performance.now()
    const { status, body } = await connection.send(
      httpRequest('POST', '/v1/push/batch', { body: { license_key: licenseKey, pushes } }),
    )
    if (status !== 202) throw new Error(`a batch was answered with ${status}: ${body}`)
    accepted += (JSON.parse(body) as { data: { accepted: number } }).data.accepted
    answerMs.push(performance.now() - begin)
  }
  if (accepted < count) throw new Error(`of ${count} messages ${accepted} were accepted`)
  const seconds = (performance.now() - start) / 1_000
  connection.close()
  return { accepted, perSecond: accepted / seconds, answerMs: summarize(answerMs) }
}
