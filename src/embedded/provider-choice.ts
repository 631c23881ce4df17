import type { Config, Secrets } from '../config/config.ts'

/** Where pushes go. */
export type ProviderSource = 'real' | 'simulated' | 'absent'
export interface ProviderChoice {
  apns: ProviderSource
  fcm: ProviderSource
}

/** Credentials of one provider mean that this is no trial: then nothing is simulated, not even what is missing. */
export function chooseProviders(config: Config, { apps }: Secrets): ProviderChoice {
  const instead = config.simulators === 'auto' && apps.length === 0 ? 'simulated' : 'absent'
  return {
    apns: apps.some(({ apns }) => apns) ? 'real' : instead,
    fcm: apps.some(({ fcm }) => fcm) ? 'real' : instead,
  }
}
