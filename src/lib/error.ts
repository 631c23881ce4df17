import { types } from 'node:util'

/** What was thrown, as an Error: JavaScript may throw anything, and errors of another realm are no instances of ours. */
export const toError = (thrown: unknown): Error =>
  types.isNativeError(thrown) ? thrown : new Error(`thrown: ${String(thrown)}`)
