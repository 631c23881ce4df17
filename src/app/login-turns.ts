import type { Keyring } from '../lib/keyring.ts'
import { HOUR, MINUTE, SECOND } from '../lib/units.ts'
import type { LoginCounts } from './login-counts.ts'

/** Whose password is tried. Also an extension that does not exist is guarded, so that it cannot be told from one that does. */
export interface LoginSubject {
  /** Absent: it is not clear whose extension is meant. */
  tenantId?: string | undefined
  number: string
}

/** One that may be taken: it counts as a failure until something else is said. */
export interface Turn {
  /** From now on nobody has failed. */
  right(): Promise<void>
  /** Nobody has looked at the password. */
  unseen(): Promise<void>
  /** Nobody else for so long. */
  lock(seconds: number): Promise<void>
}

/** Failures in a row after which one waits; a right password begins anew. */
const FREE_FAILURES = 5
const LONGEST_PAUSE_MS = 15 * MINUTE
const HOUR_SECONDS = HOUR / SECOND

/**
 * Failures of one extension in a row, and the pauses they lead to. A turn is taken before its outcome is known, so of guesses that come
 * together at most five go on, or one after a pause. What is refused leaves no trace: neither it nor how many it were makes a wait
 * longer, which would hurt the owner.
 */
export function createLoginTurns(counts: LoginCounts, keyring: Pick<Keyring, 'loginNameHash'>) {
  const keysOf = ({ tenantId = '', number }: LoginSubject) => {
    // What was typed as an extension may be a password in the wrong field.
    const hash = keyring.loginNameHash(`${tenantId} ${number}`)
    return {
      inARow: `app-row.${hash}`,
      pauses: `app-pauses.${hash}`,
      pause: `app-pause.${hash}`,
      hourly: `app-hour.${hash}`,
    }
  }
  type Keys = ReturnType<typeof keysOf>

  const startPause = async (key: string, former: number): Promise<{ msLeft: number } | undefined> => {
    const { total, msLeft } = await counts.add(key, 1, pauseSeconds(former))
    return total > 1 ? { msLeft } : undefined
  }

  /** Held: the pause that the next one meets has begun. */
  const take = async (keys: Keys): Promise<{ msLeft: number } | { isHeld: boolean; isInRow: boolean }> => {
    const [running, pauses] = await Promise.all([counts.read(keys.pause), counts.read(keys.pauses)])
    if (running) return running
    const former = pauses?.total ?? 0
    const isInRow = former <= 0
    // How long is known before anybody of those who come together is counted.
    const isHeld = !isInRow || (await counts.add(keys.inARow, 1, HOUR_SECONDS)).total >= FREE_FAILURES
    const lost = isHeld ? await startPause(keys.pause, Math.max(0, former)) : undefined
    if (lost) {
      if (isInRow) await counts.add(keys.inARow, -1, HOUR_SECONDS)
      return lost
    }
    if (isHeld) await counts.add(keys.pauses, 1, HOUR_SECONDS)
    return { isHeld, isInRow }
  }

  return {
    hourlyKey: (subject: LoginSubject): string => keysOf(subject).hourly,

    /** The turn, or how long to wait for it. */
    async take(subject: LoginSubject): Promise<Turn | { msLeft: number }> {
      const keys = keysOf(subject)
      const taken = await take(keys)
      if ('msLeft' in taken) return taken
      let isPaused = taken.isHeld
      const endPause = async () => void (isPaused && (await counts.forget(keys.pause)))
      return {
        async right() {
          await Promise.all([counts.forget(keys.inARow), counts.forget(keys.pauses), endPause()])
        },
        async unseen() {
          if (taken.isInRow) await counts.add(keys.inARow, -1, HOUR_SECONDS)
          if (taken.isHeld) await counts.add(keys.pauses, -1, HOUR_SECONDS)
          await endPause()
        },
        async lock(seconds) {
          isPaused = true
          await counts.forget(keys.pause)
          await counts.add(keys.pause, 1, seconds)
        },
      }
    },

    async forget(subject: LoginSubject): Promise<void> {
      await Promise.all(Object.values(keysOf(subject)).map((key) => counts.forget(key)))
    },
  }
}

/** 1, 2, 4, 8, 15, 15, ... minutes. */
const pauseSeconds = (former: number): number => Math.min(LONGEST_PAUSE_MS, MINUTE * 2 ** former) / SECOND
