import type { ApnsEnvironment } from './apns-protocol.ts'
import type { PushSource } from './push-listeners.ts'
import { createSimulatedPhone, type SimulatedPhone, type SimulatedPhoneOptions } from './simulated-phone.ts'

export interface PhoneSources {
  apns: PushSource & { registers(token: string, environment: ApnsEnvironment): void }
  apnsSandbox: PushSource
  fcm: PushSource
}

export interface RegistryPhoneOptions extends SimulatedPhoneOptions {
  /** Apple only: where the token was issued. Default: production. */
  environment?: ApnsEnvironment
}

export type PhoneRegistry = ReturnType<typeof createPhoneRegistry>

/** The phones of a running set of simulators, by token. */
export function createPhoneRegistry(sources: PhoneSources) {
  const phones = new Map<string, SimulatedPhone>()
  const keyOf = ({ platform, token }: { platform: string; token: string }) =>
    platform === 'apns' ? token.toLowerCase() : token

  return {
    /** Replaces the phone that has the token already. */
    add(options: RegistryPhoneOptions): SimulatedPhone {
      const token = keyOf(options)
      phones.get(token)?.close()
      const phone = createSimulatedPhone({ ...options, token }, sourceFor(options, sources))
      phones.set(token, phone)
      return phone
    },
    get: (token: string): SimulatedPhone | undefined => phones.get(token) ?? phones.get(token.toLowerCase()),
    /** @returns Whether there was such a phone. */
    remove(token: string): boolean {
      const phone = phones.get(token) ?? phones.get(token.toLowerCase())
      phone?.close()
      return phone !== undefined && phones.delete(phone.token)
    },
    get size() {
      return phones.size
    },
    close(): void {
      for (const phone of phones.values()) phone.close()
      phones.clear()
    },
  }
}

function sourceFor(options: RegistryPhoneOptions, { apns, apnsSandbox, fcm }: PhoneSources): PushSource {
  if (options.platform === 'fcm') return fcm
  const environment = options.environment ?? 'production'
  apns.registers(options.token, environment)
  return environment === 'sandbox' ? apnsSandbox : apns
}
