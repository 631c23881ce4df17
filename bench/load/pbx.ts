import { randomBytes } from 'node:crypto'
import type { HttpAnswer } from './http-connection.ts'
import { httpRequest } from './http-request.ts'
import { callIdOf } from './stamp.ts'

let calls = 0

/** What a PBX says to `/api/v1/pbx`, as requests. */
export function createPbx(pbxKey: string) {
  const headers = { authorization: `Bearer ${pbxKey}` }
  const say = (method: string, path: string, body: object, more: Record<string, string> = {}) =>
    httpRequest(method, `/api/v1/pbx${path}`, { body, headers: { ...headers, ...more } })
  const device = (extension: string) => `phone-${extension}`
  return {
    extension: (extension: string) => say('PUT', `/extensions/${extension}`, {}),
    phone: (extension: string) =>
      say('PUT', `/extensions/${extension}/devices/${device(extension)}`, {
        tokens: [{ kind: 'apns_voip', token: randomBytes(32).toString('hex') }],
      }),
    heldCall(tag: string, extension: string, waitSeconds: number) {
      calls += 1
      const body = { call_id: callIdOf(tag, calls, 0), extension, caller_id: '0301234567' }
      return say('POST', '/calls', body, { prefer: `wait=${waitSeconds}` })
    },
    registration: (extension: string) =>
      say('POST', '/registrations', {
        extension,
        contact: `sip:${extension}@10.0.0.7:5060`,
        device_id: device(extension),
      }),
  }
}

export const isRegistered = ({ body }: HttpAnswer): boolean => body.includes('"outcome":"registered"')
