import type { Clock } from '../lib/clock.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import { clientNetwork } from '../limits/client-network.ts'
import { createRecentMap, type RecentMap } from '../limits/recent-map.ts'
import type { LoginName } from './login-store.ts'

/** A login as it was asked for. */
export interface LoginAsked extends LoginName {
  address: string
}

/** Who is refused: everybody, who asks for this tenant, from this network, or for this extension. */
export type RefusedPart = 'all' | 'tenant' | 'address' | 'name'
export type RefusalCode = 'login_locked' | 'rate_limited'

interface Refusal {
  code: RefusalCode
  endsAt: number
  /** From then on the next one asks the shared counters again. */
  askAt: number
}

/** So long another node may be behind after an unlock. */
const TRUST_MS = 2 * SECOND
const ASKING_MS = SECOND / 4

/** What this node has just refused, by what was typed: saying it again costs no question to a store. */
export function createLoginRefusals(
  clock: Pick<Clock, 'monotonic'>,
  keyring: Pick<Keyring, 'loginNameHash'>,
) {
  const start = (): RecentMap<Refusal> => createRecentMap(clock, { keepMs: MINUTE, most: 50_000 })
  let refusals = start()

  const keyOf = (part: RefusedPart, { number, domain = '', host, address }: LoginAsked): string => {
    if (part === 'all') return part
    if (part === 'address') return `${part} ${clientNetwork(address)}`
    if (part === 'tenant') return `${part} ${domain} ${host}`
    // What was typed as an extension may be a password in the wrong field.
    return `${part} ${keyring.loginNameHash(`${number} ${domain} ${host}`)}`
  }

  return {
    /** Throws what was answered a moment ago. */
    judge(parts: readonly RefusedPart[], asked: LoginAsked): void {
      for (const part of parts) {
        const refusal = refusals.get(keyOf(part, asked))
        const now = clock.monotonic()
        if (!refusal || now >= refusal.endsAt) continue
        if (now < refusal.askAt) throw refused(refusal.code, refusal.endsAt - now)
        // Of many at once this one asks. The others are refused for as long as that may take, and then it holds what it heard.
        refusal.endsAt = Math.min(refusal.endsAt, now + ASKING_MS)
        refusal.askAt = refusal.endsAt
      }
    },

    /** Remembers it, and is what to throw. */
    refuse(
      part: RefusedPart,
      asked: LoginAsked,
      msLeft: number,
      code: RefusalCode = 'login_locked',
    ): Problem {
      const now = clock.monotonic()
      refusals.set(keyOf(part, asked), { code, endsAt: now + msLeft, askAt: now + TRUST_MS })
      return refused(code, msLeft)
    },

    /** A right password has ended it. */
    forgetName: (asked: LoginAsked): void => refusals.delete(keyOf('name', asked)),

    /** As after an unlock, which may concern any of them. */
    forgetAll(): void {
      refusals = start()
    },
  }
}
export type LoginRefusals = ReturnType<typeof createLoginRefusals>

const refused = (code: RefusalCode, ms: number): Problem =>
  // FlowPBX says one second, whatever it is.
  new Problem(code, { retryAfter: code === 'rate_limited' ? 1 : Math.max(1, Math.ceil(ms / SECOND)) })
