import type { Keyring } from '../lib/keyring.ts'
import { HOUR, MINUTE, SECOND } from '../lib/units.ts'
import { clientNetwork } from '../limits/client-network.ts'
import type { LoginCounts } from './login-counts.ts'
import type { LoginAsked, LoginRefusals, RefusedPart } from './login-refusals.ts'
import { createLoginTurns, type LoginSubject } from './login-turns.ts'

export interface LoginLimitDeps {
  loginCounts: LoginCounts
  loginRefusals: LoginRefusals
  keyring: Pick<Keyring, 'loginNameHash'>
  /** False: something in front of us knows the addresses better. Extensions and tenants are guarded all the same. */
  guardsAddresses: boolean
}

/** Whose password is tried, and who was named: that does not depend on whether there is such an extension. */
export interface LoginTarget extends LoginSubject {
  /** The tenant of the domain or host; absent when they are nobody's. */
  namedTenant?: string | undefined
}

/** A try that may go on. It counts as failed until something else is said. */
export interface LoginTry {
  right(): Promise<void>
  /** Nobody has looked at the password after all. */
  unseen(): Promise<void>
}

/** FlowPBX's: 5 requests a second, 10 at once. */
const REQUESTS = 10
const REQUESTS_SECONDS = 2
/** Guesses at many extensions. One person stays far below it, because his own extension stops him first. */
const ADDRESS_FAILURES = 50
/** From however many addresses. A company that forgets its passwords stays below it. */
const TENANT_FAILURES = 200
const ALL_FAILURES = 1_000
const QUARTER_SECONDS = (15 * MINUTE) / SECOND
/** Failures that lock; a right password does not forgive them. */
const HOURLY_FAILURES = 20
const HOUR_SECONDS = HOUR / SECOND

/** Failures that are counted together, and who is refused when there are too many. */
interface Sum {
  part: RefusedPart
  key: string
  most: number
  seconds: number
}

/**
 * How often a password may be tried, over all nodes, judged before anything is hashed. Each try takes its place first, so guesses that
 * come together cannot all be the last one. What is refused does not count, and costs no question when it comes again soon.
 */
export function createLoginLimits(deps: LoginLimitDeps) {
  const { loginCounts: counts, loginRefusals: refusals, keyring, guardsAddresses } = deps
  const turns = createLoginTurns(counts, keyring)
  const sumOf = (part: RefusedPart, key: string, most: number, seconds = QUARTER_SECONDS): Sum => ({
    ...{ part, key, most, seconds },
  })
  const ofAll = sumOf('all', 'app-all', ALL_FAILURES)
  const ofAddress = ({ address }: LoginAsked): Sum[] =>
    guardsAddresses ? [sumOf('address', `app-failures.${clientNetwork(address)}`, ADDRESS_FAILURES)] : []
  const ofTenant = ({ namedTenant = '' }: LoginTarget) =>
    sumOf('tenant', `app-tenant.${namedTenant}`, TENANT_FAILURES)
  const judge = async (sums: readonly Sum[], asked: LoginAsked): Promise<void> => {
    const known = await Promise.all(sums.map(({ key }) => counts.read(key)))
    for (const [i, { part, most }] of sums.entries()) {
      const count = known[i]
      if (count && count.total >= most) throw refusals.refuse(part, asked, count.msLeft)
    }
  }
  const addAll = (sums: readonly Sum[], points: 1 | -1) =>
    Promise.all(sums.map(({ key, seconds }) => counts.add(key, points, seconds)))

  /** Of whoever it is. */
  const request = async (asked: LoginAsked): Promise<void> => {
    if (!guardsAddresses) return
    const key = `app-requests.${clientNetwork(asked.address)}`
    const { total, msLeft } = await counts.add(key, 1, REQUESTS_SECONDS)
    if (total > REQUESTS) throw refusals.refuse('address', asked, msLeft, 'rate_limited')
  }

  return {
    /** One request, whatever it brings. */
    async request(address: string): Promise<void> {
      const asked = { number: '', host: '', address }
      refusals.judge(['address'], asked)
      await request(asked)
    },

    /** Before anything is looked up. */
    async enter(asked: LoginAsked): Promise<void> {
      refusals.judge(['all', 'address', 'tenant', 'name'], asked)
      await Promise.all([request(asked), judge([ofAll, ...ofAddress(asked)], asked)])
    },

    /** Throws `login_locked` with the time to wait. */
    async take(target: LoginTarget, asked: LoginAsked): Promise<LoginTry> {
      await judge([ofTenant(target)], asked)
      const turn = await turns.take(target)
      if ('msLeft' in turn) throw refusals.refuse('name', asked, turn.msLeft)
      const ofHour = sumOf('name', turns.hourlyKey(target), HOURLY_FAILURES, HOUR_SECONDS)
      const sums = [ofHour, ...ofAddress(asked), ofTenant(target), ofAll]
      const counted = await addAll(sums, 1)
      const unseen = async () => void (await Promise.all([turn.unseen(), addAll(sums, -1)]))
      for (const [i, { part, most }] of sums.entries()) {
        const { total, msLeft } = counted[i] ?? { total: 0, msLeft: 0 }
        if (total <= most) continue
        await unseen()
        throw refusals.refuse(part, asked, msLeft)
      }
      if (counted[0]?.total === HOURLY_FAILURES) await turn.lock(HOUR_SECONDS)
      const right = async () => {
        await Promise.all([turn.right(), addAll(sums, -1)])
        refusals.forgetName(asked)
      }
      return { right, unseen }
    },

    /** As if nobody had failed; on other nodes within seconds. */
    async unlock(subject: LoginSubject): Promise<void> {
      await turns.forget(subject)
      refusals.forgetAll()
    },
  }
}
export type LoginLimits = ReturnType<typeof createLoginLimits>
