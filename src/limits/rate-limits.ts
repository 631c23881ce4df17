import type { Clock } from '../lib/clock.ts'
import { derivedId } from '../lib/ids.ts'
import { Problem, type ProblemCode } from '../lib/problem.ts'
import { SECOND } from '../lib/units.ts'
import type { Lane } from '../push/push-kinds.ts'
import type { Allowances, Terms } from './allowance.ts'
import { createColdCounts } from './cold-counts.ts'
import { secondsOf } from './push-limits.ts'

/** So many a minute of something, for each of somebody. */
export interface RateLimit {
  /** Throws a 429 with `Retry-After` when it is one too many. */
  take(...whose: string[]): Promise<void>
  /** It was not one after all. */
  giveBack(...whose: string[]): void
}

/** The same for device tokens, which are far too many to remember much of each. */
export interface TokenLimit {
  take(tenantId: string, tokenHash: string): Promise<void>
}

/** The same for what belongs to a licence. */
export interface LicenseLimit {
  take(license: { id: string; maxInstallations?: number }): Promise<void>
}

interface Rule extends Pick<Terms, 'limit' | 'isMostlyCold'> {
  name: string
  code: ProblemCode
  hint: string
  /** One name of whoever it is; a hash where he may choose it freely. */
  keyOf(...whose: string[]): string
}
const joined = (...whose: string[]): string => whose.join('.')
const WINDOW_SECONDS = 60

/**
 * Apple answers TooManyRequests when one token gets too many
 * (https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns), and names no number. A
 * phone that rings every other second does not ring better.
 */
const TOKEN_CALLS: Rule = {
  ...{ name: 'token-calls', limit: 30 },
  code: 'token_rate_limited',
  hint: 'a device token takes 30 calls a minute',
  keyOf: joined,
}
const TOKEN_MESSAGES: Rule = {
  ...{ name: 'token-messages', limit: 60 },
  code: 'token_rate_limited',
  hint: 'a device token takes 60 messages a minute',
  keyOf: joined,
}
/** Nobody lets one extension ring more often, except to annoy. */
const EXTENSION_CALLS: Rule = {
  ...{ name: 'extension-calls', limit: 30, isMostlyCold: true },
  code: 'rate_limited',
  hint: 'an extension takes 30 new calls a minute',
  keyOf: derivedId,
}
/** Each makes a request to somebody else's server. */
const WEBHOOK_ACTIONS: Rule = {
  ...{ name: 'webhook-actions', limit: 10 },
  code: 'rate_limited',
  hint: 'tests and redeliveries of webhooks: 10 a minute together',
  keyOf: joined,
}
/** Each stays in the audit of the licence for ever. */
const LICENSE_FILES: Rule = {
  ...{ name: 'license-files', limit: 10 },
  code: 'rate_limited',
  hint: 'a licence is checked out 10 times a minute at most',
  keyOf: joined,
}

/** As large as the licence. */
interface LicenseRule {
  name: string
  what: string
  least: number
  perInstallation: number
}
/** Each stands in the audit for ever. A PBX asks for its seat when it starts, and all of them may start together. */
const LICENSE_SEATS: LicenseRule = {
  ...{ name: 'license-seats', least: 60, perInstallation: 3 },
  what: 'activations, deactivations and transfers',
}
/** Each is a question to the database. A PBX beats once a day, and people look when something is wrong. */
const LICENSE_READS: LicenseRule = {
  ...{ name: 'license-reads', least: 600, perInstallation: 20 },
  what: 'heartbeats and questions about its state, its machines and its usage',
}
/** Of a licence for any number of machines. */
const MANY_INSTALLATIONS = 1_000

/** Two a second, and more for a moment: nobody types faster, and each is a push to everybody else. */
const CHAT_MESSAGES: Rule = {
  ...{ name: 'chat-messages', limit: 120, isMostlyCold: true },
  code: 'rate_limited',
  hint: 'an extension sends 120 messages a minute',
  keyOf: derivedId,
}

export interface RateLimitsDeps {
  allowances: Allowances
  clock: Pick<Clock, 'monotonic'>
  /** False: nothing is refused. */
  isOn: boolean
}

export function createRateLimits({ allowances, clock, isOn }: RateLimitsDeps) {
  const takeSome = async ({ name, code, hint, keyOf, ...rule }: Rule, count: number, whose: string[]) => {
    const terms = { ...rule, windowSeconds: WINDOW_SECONDS }
    const { granted, resetMs } = await allowances.ask(`${name}.${keyOf(...whose)}`, count, terms)
    if (granted < count) throw new Problem(code, { retryAfter: secondsOf(resetMs), extra: { hint } })
  }
  const limited = (rule: Rule): RateLimit => {
    const { name, keyOf } = rule
    return {
      async take(...whose) {
        if (isOn) await takeSome(rule, 1, whose)
      },
      giveBack(...whose) {
        if (isOn) allowances.giveBack(`${name}.${keyOf(...whose)}`, 1)
      },
    }
  }
  const ofLicense = ({ name, what, least, perInstallation }: LicenseRule): LicenseLimit => ({
    async take({ id, maxInstallations = MANY_INSTALLATIONS }) {
      if (!isOn) return
      const limit = Math.max(least, perInstallation * maxInstallations)
      const hint = `${what} of a licence: ${limit} a minute together`
      await takeSome({ name, limit, isMostlyCold: true, code: 'rate_limited', hint, keyOf: joined }, 1, [id])
    },
  })
  /** Up to a quarter of the limit is each node's own, and costs a number: there are very many tokens, and few come often. */
  const ofTokens = (rule: Rule) => {
    const counts = createColdCounts(clock, WINDOW_SECONDS * SECOND)
    const own = Math.floor(rule.limit / 4)
    return {
      async take(tenantId: string, tokenHash: string): Promise<void> {
        if (!isOn) return
        const { window, lately } = counts.add(joined(tenantId, tokenHash))
        if (lately <= own) return
        // With the first that is told, those of this window before it are.
        await takeSome(rule, lately === own + 1 ? window : 1, [tenantId, tokenHash])
      },
    }
  }
  return {
    /** Of a tenant and the hash of a token. */
    tokenLimits: { calls: ofTokens(TOKEN_CALLS), messages: ofTokens(TOKEN_MESSAGES) } satisfies Record<
      Lane,
      TokenLimit
    >,
    /** Of a tenant and an extension. */
    extensionCalls: limited(EXTENSION_CALLS),
    /** Of a tenant and an extension. */
    chatMessages: limited(CHAT_MESSAGES),
    /** Of a tenant. */
    webhookActions: limited(WEBHOOK_ACTIONS),
    /** Of a licence. */
    licenseFiles: limited(LICENSE_FILES),
    licenseSeats: ofLicense(LICENSE_SEATS),
    licenseReads: ofLicense(LICENSE_READS),
  }
}
