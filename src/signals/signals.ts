/**
 * Small facts that several processes share for a short time: outcomes of pushes, registrations, calls in progress. The value
 * under a key is the truth; a message on a channel only says that it is worth a look, and may get lost.
 */
export interface Signals {
  /** Writes the value and tells the channel, in this order. */
  put(signal: Signal): Promise<void>
  /** Writes the value only when the key is free, and tells the channel only then. False: somebody else was first. */
  putFirst(signal: Signal): Promise<boolean>
  /** Writes the value only when the key is free. Undefined: it is ours; else the value that was there first. */
  claim(key: string, value: string, ttlMs: number): Promise<string | undefined>
  /** The values, in the order of the keys. */
  get(keys: readonly string[]): Promise<(string | undefined)[]>
  /**
   * Calls the listener for every message on the channel, surely from the moment `ready` resolves. Nobody is told what was
   * said before, so read the state again after that.
   */
  subscribe(channel: string, listener: SignalListener): Subscription
  /** Removes what has expired, where the store does not do it by itself. */
  sweep(): Promise<void>
  /** Rejects when the store does not answer. */
  ping(): Promise<void>
  close(): Promise<void>
}

export interface Signal {
  key: string
  value: string
  /** How long the value is worth keeping, in milliseconds. */
  ttlMs: number
  channel?: string
}

/** `value` is missing when it was too large for a message; the key has it. */
export type SignalListener = (key: string, value: string | undefined) => void

export interface Subscription {
  /** Resolves when the store listens; pending while it cannot be reached, so race it with a deadline. */
  readonly ready: Promise<void>
  /** Stops at once for this listener; never rejects. */
  close(): void
}
