import { z } from 'zod'
import { requestJson } from './http-json.ts'

/** What the demo looks at in the answer to a held call. */
const CallAnswer = z.object({
  outcome: z.string(),
  waited_ms: z.number(),
  fallback: z.string().optional(),
  contacts: z.array(z.object({ device_id: z.string().optional(), registered_at: z.string() })),
  pushes: z.array(
    z.object({ status: z.string(), reason: z.string().optional(), detail: z.string().optional() }),
  ),
})
const Enveloped = z.object({ data: CallAnswer })
export type CallAnswer = z.output<typeof CallAnswer>

export type TokenKind = 'apns_voip' | 'fcm'

export type PbxClient = ReturnType<typeof createPbxClient>

/** Talks to Wakeline as a PBX does: over HTTP, with a PBX key. */
export function createPbxClient(url: string, pbxKey: string, signal: AbortSignal) {
  const headers = { authorization: `Bearer ${pbxKey}` }
  const to = (path: string) => new URL(`/api/v1/pbx${path}`, url)
  return {
    url,
    pbxKey,

    /** @param password Of SIP, with which the app logs in. */
    async putExtension(number: string, name: string, password?: string): Promise<void> {
      const body = { name, ...(password !== undefined && { password }) }
      await requestJson(to(`/extensions/${number}`), { method: 'PUT', headers, signal, body })
    },

    async putDevice(number: string, deviceId: string, kind: TokenKind, token: string): Promise<void> {
      const body = { name: 'Demo', tokens: [{ kind, token }] }
      await requestJson(to(`/extensions/${number}/devices/${deviceId}`), {
        method: 'PUT',
        headers,
        signal,
        body,
      })
    },

    /** Asks for a call and waits for its outcome; `waitSeconds` is what the PBX is willing to wait. */
    async holdCall(extension: string, callId: string, waitSeconds: number): Promise<CallAnswer> {
      const answer = await requestJson(to('/calls'), {
        method: 'POST',
        headers: { ...headers, prefer: `wait=${waitSeconds}` },
        signal,
        body: { call_id: callId, extension, caller_id: '0301234567', caller_name: 'Wakeline demo' },
      })
      return Enveloped.parse(answer).data
    },
  }
}
