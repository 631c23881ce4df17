import type { Releaser } from './lib/releaser.ts'
import type { AppCredentials } from './push/app-credentials.ts'
import type { PushProvider } from './push/outcome.ts'
import { createApnsProvider } from './push/providers/apns/apns-provider.ts'
import { createFcmProvider } from './push/providers/fcm/fcm-provider.ts'
import type { Provider } from './push/push-kinds.ts'

type Providers = Readonly<Record<Provider, PushProvider>>

/** The apps that this deployment has credentials of, and the ways to their phones; a test may bring ways of its own. */
export function openApps(
  apps: readonly AppCredentials[],
  releaser: Releaser,
  providers: Providers | undefined,
) {
  return {
    appIds: apps.map(({ id }) => id),
    appsOf: {
      apns: apps.filter(({ apns }) => apns).map(({ id }) => id),
      fcm: apps.filter(({ fcm }) => fcm).map(({ id }) => id),
    },
    providers: providers ?? openProviders(apps, releaser),
  }
}

function openProviders(apps: readonly AppCredentials[], releaser: Releaser) {
  const apns = new Map(apps.flatMap(({ id, apns }) => (apns ? [[id, apns] as const] : [])))
  const fcm = new Map(apps.flatMap(({ id, fcm }) => (fcm ? [[id, fcm] as const] : [])))
  return {
    apns: releaser.add(createApnsProvider(apns), (open) => open.close()),
    fcm: releaser.add(createFcmProvider(fcm), (open) => open.close()),
  }
}
