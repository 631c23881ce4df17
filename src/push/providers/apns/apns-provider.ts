import type { ApnsCredentials } from '../../app-credentials.ts'
import type { PushProvider, Refusal } from '../../outcome.ts'
import type { ApnsEnvironment, Push } from '../../push.ts'
import { failureOfRefusal, notConfigured } from '../refusals.ts'
import { type ApnsChannel, type ApnsChannelOptions, createApnsChannel } from './apns-channel.ts'
import { createApnsRequest } from './apns-notification.ts'
import { isTooLarge, outcomeOfApns } from './apns-outcomes.ts'
import { createProviderToken } from './apns-provider-token.ts'
import type { ApnsReply, ApnsRequest } from './apns-reply.ts'

/** Apple says only that lengths vary; 32 bytes are usual and 200 leave room. */
const DEVICE_TOKEN = /^(?:[0-9a-f]{2}){1,200}$/i

export type ApnsProviderOptions = ApnsChannelOptions

interface ApnsApp {
  bundleId: string
  channels: Record<ApnsEnvironment, ApnsChannel>
}

/**
 * Pushes to iPhones. One persistent connection per app and environment, opened by the first push if not before.
 * @param apps Credentials by app id.
 * @throws When a signing key is not one.
 */
export function createApnsProvider(
  apps: ReadonlyMap<string, ApnsCredentials>,
  options: ApnsProviderOptions = {},
): PushProvider {
  const opened = new Map([...apps].map(([id, credentials]) => [id, openApp(credentials, options)]))
  return {
    async warmUp() {
      // The phones of developers can wait.
      await Promise.all([...opened.values()].map(({ channels }) => channels.production.warmUp()))
    },

    check(push) {
      const prepared = prepare(push, '')
      return 'code' in prepared ? prepared : undefined
    },

    async send(push, signal) {
      const app = opened.get(push.appId)
      if (!app) return notConfigured('APNs')
      const prepared = prepare(push, app.bundleId)
      if ('code' in prepared) return failureOfRefusal(prepared)
      return outcomeOfApns(await sendFitting(app, push, prepared, signal), push)
    },

    async close() {
      const channels = [...opened.values()].flatMap((app) => Object.values(app.channels))
      await Promise.all(channels.map((channel) => channel.close()))
    },
  }
}

function prepare(push: Push, bundleId: string): ApnsRequest | Refusal {
  const tokenKind = push.kind === 'call' ? 'apns_voip' : 'apns'
  if (push.tokenKind !== tokenKind) {
    const sentence =
      push.kind === 'call'
        ? 'A call needs a PushKit token; this is another one.'
        : 'A PushKit token takes nothing but calls; this needs the token for notifications.'
    return { code: 'wrong_token_kind', sentence }
  }
  // It becomes part of the path: nothing but digits may get there.
  if (!DEVICE_TOKEN.test(push.token)) {
    const sentence = 'An APNs device token consists of an even number of hexadecimal digits, 400 at most.'
    return { code: 'malformed_token', sentence }
  }
  const sentence = 'The push does not fit into what Apple takes, even without names and text.'
  return createApnsRequest(push, bundleId) ?? { code: 'payload_too_large', sentence }
}

/** Should Apple's limit be lower than we know, everything that is only display is the price of one more try. */
async function sendFitting(
  { channels, bundleId }: ApnsApp,
  push: Push,
  request: ApnsRequest,
  signal: AbortSignal,
): Promise<ApnsReply> {
  const channel = channels[push.environment]
  const reply = await channel.send(request, signal)
  if (!isTooLarge(reply)) return reply
  const bare = createApnsRequest(push, bundleId, true)
  return bare && bare.body !== request.body ? channel.send(bare, signal) : reply
}

function openApp(credentials: ApnsCredentials, options: ApnsProviderOptions): ApnsApp {
  // Apple counts the tokens signed with one key, so both environments share theirs.
  const token = createProviderToken(credentials)
  const open = (endpoint: string) => createApnsChannel({ credentials, endpoint, token }, options)
  const { production, sandbox } = credentials.endpoints
  return {
    bundleId: credentials.bundleId,
    channels: { production: open(production), sandbox: open(sandbox) },
  }
}
