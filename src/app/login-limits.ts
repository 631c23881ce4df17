import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { HOUR, MINUTE, SECOND } from '../lib/units.ts'
import { clientNetwork } from '../limits/client-network.ts'
import type { LoginCounts } from './login-counts.ts'

export interface LoginLimitDeps {
  loginCounts: LoginCounts
  keyring: Pick<Keyring, 'loginNameHash'>
  /** False: something in front of us knows the addresses better. Extensions are guarded all the same. */
  guardsAddresses: boolean
}

/** Whose password is tried. Also an extension that does not exist is guarded, so that it cannot be told from one that does. */
export interface LoginSubject {
  /** Absent: it is not clear whose extension is meant. */
  tenantId?: string | undefined
  number: string
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
const ADDRESS_SECONDS = (15 * MINUTE) / SECOND
/** Failures in a row after which one waits; a right password begins anew. */
const FREE_FAILURES = 5
const LONGEST_PAUSE_MS = 15 * MINUTE
/** Failures that lock; a right password does not forgive them. */
const HOURLY_FAILURES = 20
const HOUR_SECONDS = HOUR / SECOND

/**
 * How often a password may be tried, over all nodes, judged before anything is hashed. Each try takes its place first, so guesses that
 * come together cannot all be the fifth one. What is refused during a pause does not count: it makes nothing worse for the owner.
 */
export function createLoginLimits({ loginCounts: counts, keyring, guardsAddresses }: LoginLimitDeps) {
  const keysOf = ({ tenantId = '', number }: LoginSubject) => {
    // What was typed as an extension may be a password in the wrong field.
    const hash = keyring.loginNameHash(`${tenantId} ${number}`)
    return { inARow: `app-row.${hash}`, hourly: `app-hour.${hash}`, pause: `app-pause.${hash}` }
  }
  const addressKey = (address: string) => `app-failures.${clientNetwork(address)}`

  const takeAddress = async (address: string): Promise<void> => {
    if (!guardsAddresses) return
    const { total, msLeft } = await counts.add(addressKey(address), 1, ADDRESS_SECONDS)
    if (total > ADDRESS_FAILURES) throw locked(msLeft)
  }

  return {
    /** Of whoever it is; before anything is looked up. */
    async request(address: string): Promise<void> {
      if (!guardsAddresses) return
      const { total } = await counts.add(`app-requests.${clientNetwork(address)}`, 1, REQUESTS_SECONDS)
      if (total > REQUESTS) throw new Problem('rate_limited', { retryAfter: 1 })
    },

    /** Throws `login_locked` with the time to wait. */
    async take(subject: LoginSubject, address: string): Promise<LoginTry> {
      const keys = keysOf(subject)
      const running = await counts.read(keys.pause)
      if (running) throw locked(running.msLeft)
      await takeAddress(address)
      const { total: inARow } = await counts.add(keys.inARow, 1, HOUR_SECONDS)
      const isPaused = inARow >= FREE_FAILURES
      if (isPaused) {
        // Set before the outcome is known. Of several at once the first goes on.
        const pause = await counts.add(keys.pause, 1, pauseSeconds(inARow))
        if (pause.total > 1) throw locked(pause.msLeft)
      }
      const hourly = await counts.add(keys.hourly, 1, HOUR_SECONDS)
      if (hourly.total > HOURLY_FAILURES) throw locked(hourly.msLeft)
      const isLast = hourly.total === HOURLY_FAILURES
      if (isLast) {
        await counts.forget(keys.pause)
        await counts.add(keys.pause, 1, HOUR_SECONDS)
      }
      const giveBack = async () => {
        await counts.add(keys.hourly, -1, HOUR_SECONDS)
        if (guardsAddresses) await counts.add(addressKey(address), -1, ADDRESS_SECONDS)
        if (isPaused || isLast) await counts.forget(keys.pause)
      }
      return {
        async right() {
          await counts.forget(keys.inARow)
          await giveBack()
        },
        async unseen() {
          await counts.add(keys.inARow, -1, HOUR_SECONDS)
          await giveBack()
        },
      }
    },

    /** As if nobody had failed. */
    async unlock(subject: LoginSubject): Promise<void> {
      await Promise.all(Object.values(keysOf(subject)).map((key) => counts.forget(key)))
    },
  }
}
export type LoginLimits = ReturnType<typeof createLoginLimits>

/** 1, 2, 4, 8, 15, 15, ... minutes. */
const pauseSeconds = (failures: number): number =>
  Math.min(LONGEST_PAUSE_MS, MINUTE * 2 ** (failures - FREE_FAILURES)) / SECOND

const locked = (ms: number): Problem =>
  new Problem('login_locked', { retryAfter: Math.max(1, Math.ceil(ms / SECOND)) })
