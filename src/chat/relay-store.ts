import type { Knex } from 'knex'
import { createAlertTokenStore } from '../devices/alert-token-store.ts'
import { createPendingPushStore, type NewPending } from '../push/pending-push-store.ts'
import { createOutboxStore, type DueBadge, type OutboxEntry, type Withheld } from './outbox-store.ts'

/** What follows from one entry of the outbox. */
export interface EntryOutcome {
  entryId: number
  pushes: readonly NewPending[]
  withheld: readonly Withheld[]
  badges: readonly DueBadge[]
  next: readonly OutboxEntry[]
}

/** All or nothing: an entry is gone when what follows from it is promised. */
export function createRelayStore(db: Knex) {
  return {
    /** Tells which pushes are new. Entries that somebody else has done meanwhile are left out. */
    settle: (outcomes: readonly EntryOutcome[], at: Date): Promise<NewPending[]> =>
      db.transaction(async (trx) => {
        const outbox = createOutboxStore(trx)
        const own = await outbox.done(outcomes.map(({ entryId }) => entryId))
        const ours = outcomes.filter(({ entryId }) => own.has(entryId))
        await outbox.put(ours.flatMap(({ next }) => next))
        await outbox.withhold(
          ours.flatMap(({ withheld }) => withheld),
          at,
        )
        await outbox.putBadges(onePerPerson(ours.flatMap(({ badges }) => badges)))
        return acceptNew(
          trx,
          ours.flatMap(({ pushes }) => pushes),
        )
      }),

    /** Takes badges that are due, and promises the pushes that are made of them. Tells how many badges there were. */
    settleBadges: (
      limit: number,
      make: (
        due: DueBadge,
        tokens: Awaited<ReturnType<ReturnType<typeof createAlertTokenStore>['of']>>,
      ) => NewPending[],
    ): Promise<{ count: number; pushes: NewPending[] }> =>
      db.transaction(async (trx) => {
        const due = await createOutboxStore(trx).takeBadges(limit)
        const tokens = createAlertTokenStore(trx)
        const made: NewPending[] = []
        for (const badge of due) made.push(...make(badge, await tokens.of(badge.tenantId, badge.extensionId)))
        if (made.length > 0) await createPendingPushStore(trx).accept(made)
        return { count: due.length, pushes: made }
      }),
  }
}
export type RelayStore = ReturnType<typeof createRelayStore>

const onePerPerson = (badges: readonly DueBadge[]): DueBadge[] => [
  ...new Map(badges.map((badge) => [badge.extensionId, badge])).values(),
]

async function acceptNew(trx: Knex, pushes: readonly NewPending[]): Promise<NewPending[]> {
  if (pushes.length === 0) return []
  const unique = [...new Map(pushes.map((item) => [item.push.id, item])).values()]
  const accepted = await createPendingPushStore(trx).accept(unique)
  return unique.filter((_, index) => accepted[index]?.is === 'new')
}
