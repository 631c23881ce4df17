import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { SECOND } from '../lib/units.ts'
import type { Signals } from '../signals/signals.ts'

/** What a registrar saw of one contact. */
export interface ContactSeen {
  extension: string
  /** The app's own id of the phone. */
  deviceKey?: string | undefined
  /** The Contact header field. */
  contact?: string | undefined
  /** Seconds; 0 when the contact went away, and `*` is every contact (RFC 3261 section 10.2.2). */
  expires: number
}

/** Until when the contacts of an extension are registered: milliseconds since the epoch, by a short hash of the contact. */
type Contacts = Record<string, number>

/** More than a person has telephones; of more, those that end first are forgotten. */
const MAX_CONTACTS = 20
/** Nobody's call waits for this, and who looks at a list does not want to wait for long. */
const ANSWER_MS = 2 * SECOND
/** Calls ask the same store, which answers one command after the other. */
const KEYS_AT_ONCE = 1_000

/**
 * Which extensions have a telephone registered over SIP, desk phones included. Two reports of one extension at two processes in
 * the same moment may lose one of them, until that phone registers again.
 */
export function createPresence({
  signals,
  clock,
  onError,
}: {
  signals: Pick<Signals, 'get' | 'put'>
  clock: Clock
  onError: (error: Error) => void
}) {
  const turns = new Map<string, Promise<void>>()

  const write = async (key: string, seen: ContactSeen): Promise<void> => {
    const [known] = await signals.get([key])
    const now = clock.now()
    const contacts = afterReport(live(known, now), seen, now)
    // Also when none is left: a key without contacts says that it went away.
    const until = Math.max(now + SECOND, ...Object.values(contacts))
    await signals.put({ key, value: JSON.stringify(contacts), ttlMs: until - now })
  }

  const note = async (tenantId: string, seen: ContactSeen): Promise<void> => {
    const key = keyOf(tenantId, seen.extension)
    const turn = (turns.get(key) ?? Promise.resolve())
      .then(() => within(ANSWER_MS, 'noting a registration', write(key, seen)))
      .catch((error: unknown) => onError(toError(error)))
    turns.set(key, turn)
    await turn
    if (turns.get(key) === turn) turns.delete(key)
  }

  return {
    /** Never rejects: a registration counts for its call, whether or not others see that it is there. */
    note,

    /** The extension is gone, whatever telephones it had. Never rejects. */
    forget: (tenantId: string, extension: string): Promise<void> =>
      note(tenantId, { extension, contact: '*', expires: 0 }),

    /** Which of the extensions are registered; none while nobody can tell. */
    async online(tenantId: string, extensions: readonly string[]): Promise<Set<string>> {
      const online = new Set<string>()
      try {
        for (let from = 0; from < extensions.length; from += KEYS_AT_ONCE) {
          const some = extensions.slice(from, from + KEYS_AT_ONCE)
          const asked = signals.get(some.map((extension) => keyOf(tenantId, extension)))
          const values = await within(ANSWER_MS, 'reading registrations', asked)
          const now = clock.now()
          for (const [index, extension] of some.entries()) {
            if (Object.keys(live(values[index], now)).length > 0) online.add(extension)
          }
        }
      } catch (error) {
        onError(toError(error))
      }
      return online
    },
  }
}
export type Presence = ReturnType<typeof createPresence>

const hashOf = (text: string, length: number) =>
  createHash('sha256').update(text).digest('base64url').slice(0, length)
/** Tenant and extension as one short word: an extension may hold any character. */
const keyOf = (tenantId: string, extension: string) => `online.${hashOf(`${tenantId}\n${extension}`, 22)}`

function live(value: string | undefined, now: number): Contacts {
  const contacts = value === undefined ? {} : (JSON.parse(value) as Contacts)
  return Object.fromEntries(Object.entries(contacts).filter(([, until]) => until > now))
}

function afterReport(contacts: Contacts, seen: ContactSeen, now: number): Contacts {
  if (seen.expires === 0 && seen.contact?.trim() === '*') return {}
  const { [nameOf(seen)]: _, ...others } = contacts
  if (seen.expires === 0) return others
  const all = Object.entries({ ...others, [nameOf(seen)]: now + seen.expires * SECOND })
  return Object.fromEntries(all.sort(([, a], [, b]) => b - a).slice(0, MAX_CONTACTS))
}

/** The same for a contact that registers and goes. Only its address counts: parameters change from one to the other. */
function nameOf({ deviceKey, contact }: ContactSeen): string {
  if (deviceKey !== undefined) return hashOf(`device ${deviceKey}`, 8)
  const address = /<([^>;]*)/.exec(contact ?? '')?.[1] ?? contact?.split(';')[0] ?? ''
  return hashOf(`contact ${address.trim().toLowerCase()}`, 8)
}
