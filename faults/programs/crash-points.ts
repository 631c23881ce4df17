/** Steps on the way of a message, in their order, of which a call has the first; `after_write` is done from outside, by a vendor that does not answer. */
export const CRASH_POINTS = [
  'after_fetch',
  'after_fence',
  'after_response',
  'after_checkpoint',
  'after_ledger',
] as const
export type CrashPoint = (typeof CRASH_POINTS)[number]

/** The file that arms a crash; whoever takes it crashes. */
export const armedFile = (point: CrashPoint): string => `${point}-armed`
/** The same file afterwards: in it is the id of the push. */
export const crashedFile = (point: CrashPoint): string => `${point}-crashed`
