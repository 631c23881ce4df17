import { randomBytes, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:http2'
import type { RecorderReady } from '../programs/recorder.ts'
import { callIdOf } from './stamp.ts'

/** The least that a push to Apple costs with node:http2: one connection, one token, nothing stored. */
export async function openAppleClient({ url, signing }: RecorderReady) {
  const session = connect(url, { ca: signing.ca })
  await once(session, 'connect')
  const authorization = `bearer ${signToken(signing)}`
  const token = randomBytes(32).toString('hex')
  let number = 0
  return {
    /** Resolves to the status of the answer. */
    push(stamp: number): Promise<number> {
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      number += 1
      const expiresAt = Date.now() + 30_000
      const stream = session.request({
        ':method': 'POST',
        ':path': `/3/device/${token}`,
        authorization,
        'apns-id': randomUUID(),
        'apns-topic': signing.topic,
        'apns-push-type': 'voip',
        'apns-priority': '10',
        'apns-expiration': String(Math.floor(expiresAt / 1_000)),
      })
      stream.on('response', (headers) => resolve(Number(headers[':status'])))
      stream.on('error', reject)
      stream.resume()
      stream.end(
        JSON.stringify({
          type: 'incoming_call',
          caller_id: '0301234567',
          caller_name: 'Ada Lovelace',
          call_id: randomUUID(),
          sip_call_id: callIdOf('floor', number, stamp),
          expires_at: new Date(expiresAt).toISOString(),
        }),
      )
      return promise
    },
    close: () => session.destroy(),
  }
}

function signToken({ key, keyId, teamId }: RecorderReady['signing']): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${encode({ alg: 'ES256', kid: keyId })}.${encode({ iss: teamId, iat: Math.floor(Date.now() / 1_000) })}`
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
