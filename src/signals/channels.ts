import type { SignalListener } from './signals.ts'

/** Which listeners of this process want which channel; the stores share it. */
export function createChannels() {
  const listeners = new Map<string, Set<SignalListener>>()
  return {
    /** True for the first listener of a channel. */
    add(channel: string, listener: SignalListener): boolean {
      const known = listeners.get(channel)
      if (known) known.add(listener)
      else listeners.set(channel, new Set([listener]))
      return !known
    },
    /** True when nobody wants the channel any more. */
    remove(channel: string, listener: SignalListener): boolean {
      const known = listeners.get(channel)
      known?.delete(listener)
      return known?.size === 0 && listeners.delete(channel)
    },
    tell(channel: string, key: string, value: string | undefined): void {
      for (const listener of listeners.get(channel) ?? []) listener(key, value)
    },
    has: (channel: string): boolean => listeners.has(channel),
    count: (): number => listeners.size,
  }
}
