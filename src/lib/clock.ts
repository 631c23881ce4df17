/** Time is a dependency: deadlines are our domain, so tests pin it. */
export interface Clock {
  /** Wall time, milliseconds since the epoch: for what other hosts compare. */
  now(): number
  /** Monotonic milliseconds: for durations and time-outs inside this process. */
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}
