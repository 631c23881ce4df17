import type { Failure, Refusal } from '../outcome.ts'
import { failureOf, type Verdict, verdicts } from './verdict.ts'

/** What we refuse without asking the vendor. */
export const REFUSALS = {
  malformed_token: verdicts.quarantineToken,
  wrong_token_kind: verdicts.fail,
  payload_too_large: verdicts.fail,
} as const satisfies Record<Refusal['code'], Verdict>

export const failureOfRefusal = ({ code, sentence }: Refusal): Failure =>
  failureOf({ ...REFUSALS[code], reason: code, detail: sentence })

/** @param vendor As people call it. */
export const notConfigured = (vendor: string): Failure =>
  failureOf({
    ...verdicts.alarm,
    reason: 'provider_not_configured',
    detail: `This gateway has no ${vendor} credentials for the app.`,
  })
