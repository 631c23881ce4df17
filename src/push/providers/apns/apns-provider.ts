import type { ApnsCredentials } from '../../app-credentials.ts'
import type { ApnsEnvironment, Outcome, PushProvider } from '../../push.ts'
import { outcomeOfApns } from './apns-answers.ts'
import { type ApnsChannel, type ApnsChannelOptions, createApnsChannel } from './apns-channel.ts'
import { createApnsRequest } from './apns-notification.ts'
import { createProviderToken } from './apns-provider-token.ts'

/** Apple says only that lengths vary; 64 digits are usual and this leaves room. */
const DEVICE_TOKEN = /^[0-9a-f]{1,400}$/i

export type ApnsProviderOptions = ApnsChannelOptions

interface ApnsApp {
  bundleId: string
  channels: Record<ApnsEnvironment, ApnsChannel>
}

/**
 * VoIP pushes to iPhones. One persistent connection per app and environment, opened by the first push.
 * @param apps Credentials by app id.
 * @throws When a signing key is not one.
 */
export function createApnsProvider(
  apps: ReadonlyMap<string, ApnsCredentials>,
  options: ApnsProviderOptions = {},
): PushProvider {
  const opened = new Map([...apps].map(([id, credentials]) => [id, openApp(credentials, options)]))
  return {
    async send(push, signal) {
      const app = opened.get(push.appId)
      if (!app)
        return rejected('provider_not_configured', 'This gateway has no APNs credentials for the app.')
      // It becomes part of the path: nothing but digits may get there.
      if (!DEVICE_TOKEN.test(push.token)) {
        return rejected('malformed_token', 'An APNs device token consists of hexadecimal digits.')
      }
      const request = createApnsRequest(push, app.bundleId)
      if (!request) return rejected('payload_too_large', 'The ids of the call do not fit into a VoIP push.')
      return outcomeOfApns(await app.channels[push.environment].send(request, signal), push.id)
    },

    async close() {
      const channels = [...opened.values()].flatMap((app) => Object.values(app.channels))
      await Promise.all(channels.map((channel) => channel.close()))
    },
  }
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

const rejected = (reason: string, detail: string): Outcome => ({ kind: 'rejected', reason, detail })
