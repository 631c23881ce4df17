import type { Failure } from '../outcome.ts'

/**
 * Whose fault an answer is, and what is done about it, in one word. `drop_token`: the token is dead. `quarantine_token`: it is
 * suspect. `try_other_environment`: suspect, unless Apple's other gateway knows it. `trim_and_resend`: once more, without what is
 * only display. `fail`: no try will do better. `alarm`: an operator has to act. `renew_provider_token`: with a new proof of
 * identity. `keep_provider_token`: with the old proof, after a pause, and an operator has to look. `wait`: after a pause.
 * `spare_phone`: the same, but only this phone has had too much. `retry`: soon. `hold`: not again unless a second copy does no harm.
 */
export type Verdict =
  | { class: 'token'; action: 'drop_token' | 'quarantine_token' | 'try_other_environment' }
  | { class: 'message'; action: 'fail' | 'trim_and_resend' }
  | { class: 'config'; action: 'alarm' }
  | { class: 'provider_token'; action: 'renew_provider_token' | 'keep_provider_token' }
  | { class: 'transient'; action: 'retry' | 'wait' | 'spare_phone' }
  | { class: 'unknown'; action: 'hold' }
export type Action = Verdict['action']

export const verdicts = {
  dropToken: { class: 'token', action: 'drop_token' },
  quarantineToken: { class: 'token', action: 'quarantine_token' },
  tryOtherEnvironment: { class: 'token', action: 'try_other_environment' },
  fail: { class: 'message', action: 'fail' },
  trimAndResend: { class: 'message', action: 'trim_and_resend' },
  alarm: { class: 'config', action: 'alarm' },
  renewProviderToken: { class: 'provider_token', action: 'renew_provider_token' },
  keepProviderToken: { class: 'provider_token', action: 'keep_provider_token' },
  retry: { class: 'transient', action: 'retry' },
  wait: { class: 'transient', action: 'wait' },
  sparePhone: { class: 'transient', action: 'spare_phone' },
  hold: { class: 'unknown', action: 'hold' },
} as const satisfies Record<string, Verdict>

/** The vendor's word or ours, what it means, and the sentence for people. */
export type Judgement = Verdict & { reason: string; detail: string }

/** What an answer says besides. */
export interface AnswerFacts {
  /** HTTP status. */
  status?: number | undefined
  /** The pause that was asked for, ms. */
  retryAfterMs?: number | undefined
  /** Since when the token is dead, ms since the epoch. */
  deadSince?: number | undefined
}

export function failureOf(judgement: Judgement, facts: AnswerFacts = {}): Failure {
  const { reason, detail } = judgement
  const { status, retryAfterMs, deadSince } = facts
  const fault = { reason, detail, ...(status !== undefined && { status }) }
  switch (judgement.class) {
    case 'token':
      if (judgement.action === 'drop_token') {
        return { kind: 'token_dead', class: 'token', ...(deadSince !== undefined && { deadSince }), ...fault }
      }
      return {
        kind: 'rejected',
        class: 'token',
        ...(judgement.action === 'try_other_environment' && { tryOtherEnvironment: true }),
        ...fault,
      }
    case 'message':
    case 'config':
      return { kind: 'rejected', class: judgement.class, ...fault }
    case 'provider_token':
    case 'transient':
      return {
        kind: 'retry',
        class: judgement.class,
        ...(judgement.action === 'keep_provider_token' && { needsOperator: true as const }),
        ...(judgement.action === 'spare_phone' && { isOfPhone: true as const }),
        ...(retryAfterMs !== undefined && { retryAfterMs }),
        ...fault,
      }
    case 'unknown':
      return { kind: 'unknown', class: 'unknown', ...fault }
  }
}

/** For words that a vendor may add tomorrow, and for answers without one. Never against the token. */
export function verdictByStatus(status: number): Verdict {
  if (status === 429) return verdicts.wait
  if (status === 408 || status >= 500) return verdicts.retry
  return [401, 403, 404, 407].includes(status) ? verdicts.alarm : verdicts.fail
}

/** @param code Names a kind of fault; a message in its place could quote the request and with it the device token. */
export const withCode = (sentence: string, code: string | undefined): string =>
  code === undefined ? sentence : `${sentence.slice(0, -1)} (${code}).`
