import { z } from 'zod'
import type { Installation } from './license.ts'

export const InstallationAnswer = z
  .object({
    instance_id: z.guid(),
    hostname: z.string(),
    version: z.string(),
    activated_at: z.string(),
    last_seen_at: z.string(),
    deactivated_at: z.string().optional(),
    deactivated_why: z
      .enum(['released', 'forced', 'transferred', 'dead'])
      .optional()
      .describe('`dead`: it was not seen for long.'),
  })
  .meta({ id: 'Installation' })

const iso = (time: number) => new Date(time).toISOString()

/** Without the fingerprint: a machine proves by it which one it is. */
export const describeInstallation = (installation: Installation): z.input<typeof InstallationAnswer> => ({
  instance_id: installation.id,
  hostname: installation.hostname,
  version: installation.version,
  activated_at: iso(installation.activatedAt),
  last_seen_at: iso(installation.lastSeenAt),
  ...(installation.deactivatedAt !== undefined && { deactivated_at: iso(installation.deactivatedAt) }),
  ...(installation.deactivatedWhy !== undefined && { deactivated_why: installation.deactivatedWhy }),
})

/** FlowPBX reads 4096 bytes of an answer and cannot parse one that goes on; the rest of it needs less than what this leaves. */
const HOLDERS_BYTES = 3_000

/** How many there are, and as many of them as have room: first who was not seen for longest. */
export function describeHolders(holders: readonly Installation[]) {
  const installations: z.input<typeof InstallationAnswer>[] = []
  let room = HOLDERS_BYTES
  for (const holder of holders.toSorted((a, b) => a.lastSeenAt - b.lastSeenAt)) {
    const described = describeInstallation(holder)
    room -= Buffer.byteLength(JSON.stringify(described)) + 1
    if (room < 0) break
    installations.push(described)
  }
  return { installation_count: holders.length, installations }
}
