import type { Outcome } from './outcome.ts'
import type { ApnsEnvironment, Push } from './push.ts'
import type { TokenState } from './push-result.ts'

/** An answer that speaks against the token. */
export type Accusation = Extract<Outcome, { kind: 'token_dead' | 'rejected' }>

/**
 * What becomes of device tokens that providers speak against. The store behind it may be away: then nothing happens to the token,
 * and the next push meets the same answer.
 */
export interface TokenVerdicts {
  /** Every answer of a provider counts: a breaker compares the bad ones with all of them. */
  observe(push: Push, outcome: Outcome): void
  /** Never rejects. @param sentAt when the try left (ms since the epoch). Resolves to what the owner of the token is told. */
  accuse(push: Push, accusation: Accusation, sentAt: number): Promise<TokenState>
  /**
   * Whether both of Apple's gateways have said this of the token since it was registered, so that it is enough to ask one. Never
   * rejects.
   */
  isProbed(push: Push, reason: string): Promise<boolean>
  /** Apple's other gateway took it: later pushes go there. Never rejects. */
  moved(push: Push, environment: ApnsEnvironment): Promise<void>
  /** Where pushes for the token are to go; what `moved` has taught counts more than what the push says. */
  environmentOf(push: Push): ApnsEnvironment
}
