import type { DeviceStep } from '../../simulators/chat-device/device-timeline.ts'
import type { Iphone } from '../../simulators/chat-device/iphone.ts'
import type { Step } from '../timeline.ts'
import type { Cast } from './chat-cast.ts'
import type { AppleRequest } from './remote-line.ts'

/** What happened to all phones since a moment, as one story. Milliseconds since the epoch. */
export function chatTimeline({ ada, bob, tablet, line }: Cast, since: number): Step[] {
  const steps = [
    ...stepsOf(ada, 'Ada', since),
    ...stepsOf(bob, "Bob's phone", since),
    ...line.requestsTo(bob.token).map((request) => describeRequest(request, 'phone')),
    ...(tablet ? stepsOf(tablet, "Bob's tablet", since) : []),
    ...(tablet ? line.requestsTo(tablet.token).map((request) => describeRequest(request, 'tablet')) : []),
  ]
  return steps
    .filter(({ at }) => at >= since)
    .sort((a, b) => a.at - b.at)
    .map(({ at, what }) => ({ at_ms: at - since, what }))
}

interface Told {
  at: number
  what: string
}

function describeRequest({ at, status, headers, payload }: AppleRequest, device: string): Told {
  const kind = payload.type === 'chat_message' ? headers['apns-push-type'] : 'number for the icon'
  const what = `a push for Bob's ${device} arrives at Apple (${kind}): ${status === 200 ? 'accepted' : status}`
  return { at: new Date(at).getTime(), what }
}

const stepsOf = (phone: Iphone, who: string, since: number): Told[] =>
  phone.timeline.steps.flatMap((step) => {
    const what = step.at >= since ? describeStep(step, who) : undefined
    return what === undefined ? [] : [{ at: step.at, what }]
  })

/** `undefined` for what would only make the story long. */
function describeStep(step: DeviceStep, who: string): string | undefined {
  switch (step.did) {
    case 'send':
      return `${who} writes to Bob`
    case 'receipt':
      return step.receipt === 'read' ? `${who} sees that Bob has read it` : undefined
    case 'push':
      if (step.outcome === 'silent') return undefined
      return `${who}: the notification is ${step.outcome}; ${step.why}`
    case 'wake':
      return `${who}: iOS ${step.woken ? 'wakes the app for a moment' : 'leaves the app alone'}; ${step.why}`
    case 'state':
      return step.state === 'foreground' ? `${who}: ${step.why}` : undefined
    case 'receive':
      return step.via === 'sent' ? undefined : `${who}: ${messages(step.messageIds)} by ${step.via}`
    case 'open':
      if (step.fresh.length === 0) return undefined
      return `${who}: the conversation opens with ${messages(step.fresh)} that ${step.fresh.length === 1 ? 'is' : 'are'} new`
    case 'read':
      return `${who}: read`
    case 'badge':
      return `${who}: ${step.badge === 0 ? 'no number' : step.badge} on the icon`
    case 'take back':
      return `${who}: the notification is taken back`
    case 'fail':
      return `${who}: could not ${step.what}: ${step.reason}`
    default:
      return undefined
  }
}

const messages = ({ length }: readonly string[]): string =>
  length === 1 ? 'a message' : `${length} messages`
