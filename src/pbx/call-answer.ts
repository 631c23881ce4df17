import type { z } from 'zod'
import type { Reply } from '../http/route.ts'
import { type CallWake, freshContacts, type MobileRegistration } from './call-wake.ts'
import type { CallAnswer } from './pbx-schemas.ts'
import type { WokenCall } from './wake-call.ts'

/** The same answer for machines and, on `Accept: text/plain`, in one line for a dialplan. */
export function answerCall(woken: WokenCall, accept: string | undefined): Reply {
  const answer = toAnswer(woken)
  const status = answer.outcome === undefined ? 202 : 200
  const headers: Record<string, string> = { Location: `/api/v1/pbx/calls/${woken.call.id}` }
  if (!accept?.startsWith('text/plain')) return { status, headers, data: answer }
  return { status, headers, text: `${toLine(answer)}\n` }
}

type Answer = z.output<typeof CallAnswer>

function toAnswer({ call, outcome, state, waitedMs }: WokenCall): Answer {
  const results = new Map(state.results.map((result) => [result.id, result]))
  const contacts = freshContacts(call, state.registrations)
  return {
    id: call.id,
    call_id: call.callId,
    extension: call.extension,
    status: outcome === 'waking' ? 'waking' : 'ended',
    ...(outcome !== 'waking' && { outcome }),
    waited_ms: Math.round(waitedMs),
    ...(outcome !== 'waking' && outcome !== 'registered' && { fallback: 'voicemail' as const }),
    contacts: contacts.map((contact) => toContact(call, contact)),
    pushes: call.pushes.map(({ pushId, deviceKey, provider }) => {
      const { state: status = 'queued', reason, detail } = results.get(pushId) ?? {}
      return {
        push_id: pushId,
        device_id: deviceKey,
        provider,
        status,
        ...(reason !== undefined && { reason }),
        ...(detail !== undefined && { detail }),
      }
    }),
  }
}

export function toContact(call: CallWake, { at, contact, deviceId, deviceKey }: MobileRegistration) {
  const key = deviceKey ?? call.pushes.find((push) => push.deviceId === deviceId)?.deviceKey
  return {
    ...(key !== undefined && { device_id: key }),
    ...(contact !== undefined && { contact }),
    registered_at: new Date(at).toISOString(),
  }
}

/** `registered 812 sip:1001@10.0.0.7`: outcome, milliseconds, then the contact or the reason. */
function toLine({ outcome, waited_ms, contacts, pushes }: Answer): string {
  const more = contacts[0]?.contact ?? pushes.find(({ reason }) => reason !== undefined)?.reason ?? ''
  return `${outcome ?? 'waking'} ${waited_ms} ${more.replaceAll(/\s+/g, ' ')}`.trimEnd()
}
