/**
 * The SIP Call-ID of a measured push: `<tag>-<number>-<stamp>@bench`. The stamp is the time of sending on the clock that all
 * processes of a machine share, so that the simulator can subtract it; 0 asks for counting only.
 */
export const callIdOf = (tag: string, number: number, stamp: number): string =>
  `${tag}-${number}-${stamp}@bench`

export function readCallId(callId: unknown): { number: number; stamp: number } {
  const [, number, stamp] = /-(\d+)-(\d+)@bench$/.exec(String(callId)) ?? []
  return { number: Number(number), stamp: Number(stamp) }
}

/** Microseconds; CLOCK_MONOTONIC has the same zero in every process. */
export const sharedNow = (): number => Number(process.hrtime.bigint() / 1_000n)
