import type { DeviceMoves } from '../devices/device-moves.ts'
import type { ExtensionChange } from '../devices/extension.ts'
import type { ExtensionBatchStore, ExtensionWritten } from '../devices/extension-batch-store.ts'
import type { ExtensionStore } from '../devices/extension-store.ts'
import type { Clock } from '../lib/clock.ts'
import type { Passwords } from '../lib/passwords.ts'
import { Problem } from '../lib/problem.ts'

export interface NewExtension extends ExtensionChange {
  number: string
  password?: string | undefined
}

export interface ProvisioningDeps {
  extensions: Pick<ExtensionStore, 'passwordHashes'>
  extensionBatches: ExtensionBatchStore
  passwords: Passwords
  /** How many extensions the licences of a tenant are good for. */
  extensionLimit(tenantId: string): Promise<number>
  deviceMoves: Pick<DeviceMoves, 'forget'>
  clock: Clock
}

/** Makes and changes extensions, many at a time. Doing it again changes nothing, and logs nobody out. */
export function createProvisionExtensions({
  extensions,
  extensionBatches,
  passwords,
  extensionLimit,
  deviceMoves,
  clock,
}: ProvisioningDeps) {
  /** Calls go on from memory when the database is slow, and nobody may be woken from it who is not to be disturbed, or is logged out. */
  const silence = async (
    tenantId: string,
    changes: readonly NewExtension[],
    written: readonly ExtensionWritten[],
  ) => {
    const quiet = changes.filter(
      ({ dnd, password }, i) =>
        (dnd !== undefined || password !== undefined) && written[i]?.status === 'updated',
    )
    for (const { number } of quiet) await deviceMoves.forget({ tenantId, extension: number })
  }

  return async (
    tenantId: string,
    changes: readonly NewExtension[],
    { dryRun }: { dryRun?: boolean } = {},
  ): Promise<ExtensionWritten[]> => {
    const numbers = changes.flatMap(({ number, password }) => (password === undefined ? [] : [number]))
    const hashes = numbers.length > 0 ? await extensions.passwordHashes(tenantId, numbers) : new Map()
    const writes = []
    // One after the other: each takes a core for some 20 ms, and logins want their turn.
    for (const { password, ...change } of changes) {
      const isNew =
        password !== undefined && !(await isPassword(passwords, password, hashes.get(change.number)))
      const passwordHash = isNew ? await (dryRun ? NO_HASH : passwords.hash(password)) : undefined
      writes.push({ ...change, passwordHash })
    }
    const limit = () => extensionLimit(tenantId)
    const written = await extensionBatches.write(tenantId, writes, {
      limit,
      now: new Date(clock.now()),
      dryRun,
    })
    if (!dryRun) await silence(tenantId, changes, written)
    return written
  }
}
export type ProvisionExtensions = ReturnType<typeof createProvisionExtensions>

/** Stands for a hash that is not stored anyway. */
const NO_HASH = 'none'

const isPassword = async (
  passwords: Passwords,
  password: string,
  hash: string | undefined,
): Promise<boolean> => hash !== undefined && passwords.matches(password, hash)

/** Why the licence has no room for another one. */
export const noRoom = ({ inUse, limit }: { inUse: number; limit: number }): Problem =>
  new Problem('too_many_extensions', {
    code: 'TOO_MANY_EXTENSIONS',
    extra: {
      hint: `there are ${inUse} extensions, and the licence is for ${limit}: remove one, or have the licence changed`,
      in_use: inUse,
      max_extensions: limit,
    },
  })
