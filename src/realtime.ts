import { type Realtime, startRealtime } from './chat/realtime/realtime.ts'
import type { Context } from './context.ts'

/** Wires the sockets of an API process. */
export const openRealtime = (context: Context): Realtime =>
  startRealtime({
    ...context,
    settings: context.realtimeSettings,
    trustProxyHops: context.config.http.trustProxyHops,
    findDevice: ({ tenantId, extension }, deviceKey) =>
      context.tokens.deviceOf(tenantId, extension, { deviceKey, tokenHashes: [] }),
    onError: (error) => context.events.backgroundError('realtime', error),
  })
