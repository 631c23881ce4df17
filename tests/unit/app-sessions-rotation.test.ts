import fc from 'fast-check'
import { judgeRefresh, REPEAT_MS, type RefreshState } from '../../src/app/session-rotation.ts'
import { createRefreshTokens } from '../../src/app/session-tokens.ts'
import { newId } from '../../src/lib/ids.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { DAY, SECOND } from '../../src/lib/units.ts'

const LIFE_MS = 30 * DAY

/** A session as the store changes it, with whoever has its tokens. */
function startSession() {
  let now = Date.UTC(2026, 0, 1)
  let state: RefreshState = {
    generation: 1,
    refreshedAt: new Date(now),
    expiresAt: new Date(now + LIFE_MS),
  }
  return {
    state: () => state,
    pass(ms: number) {
      now += ms
    },
    /** Undefined: refused. */
    use(generation: number): number | undefined {
      const verdict = judgeRefresh(state, generation, new Date(now))
      if (verdict === 'rotate') {
        const next = (state.generation ?? 0) + 1
        state = { generation: next, refreshedAt: new Date(now), expiresAt: new Date(now + LIFE_MS) }
        return next
      }
      if (verdict === 'repeat') return state.generation
      if (verdict === 'reuse') state = { ...state, revokedAt: new Date(now) }
      return undefined
    },
  }
}

/** Two who may have the same tokens: the owner, and a thief who has copied what the owner has at some moment. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ act: 'owner' as const }) },
  { weight: 3, arbitrary: fc.constant({ act: 'thief' as const }) },
  { weight: 1, arbitrary: fc.constant({ act: 'steal' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 60 * SECOND }) }),
  },
)

test('an owner alone is never logged out, whatever answers are lost, if he asks again in time', () => {
  const turn = fc.record({
    isLost: fc.boolean(),
    againAfter: fc.integer({ min: 0, max: REPEAT_MS }),
    pause: fc.integer({ min: 0, max: 29 * DAY }),
  })
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 40 }), (turns) => {
      const session = startSession()
      let own = 1
      for (const { isLost, againAfter, pause } of turns) {
        const first = session.use(own)
        expect(first).toBe(own + 1)
        if (isLost) {
          session.pass(againAfter)
          // The same successor, so it does not matter which of the answers arrives.
          expect(session.use(own)).toBe(first)
        }
        own += 1
        session.pass(pause)
      }
    }),
  )
})

test('of an owner and a thief no more than one goes on, except for a moment after each rotation', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const session = startSession()
      let owner = 1
      let thief: number | undefined
      let at = 0
      let lastRotation = 0
      for (const each of steps) {
        if (each.act === 'pass') {
          session.pass(each.ms)
          at += each.ms
        } else if (each.act === 'steal') thief = owner
        else {
          const token = each.act === 'owner' ? owner : thief
          if (token === undefined) continue
          const good = session.state().generation
          const isOver = session.state().revokedAt !== undefined
          const got = session.use(token)
          if (got !== undefined) {
            // Never after the end, and never for a token but the good one and, for a moment, the one before.
            expect(isOver).toBe(false)
            expect(token === good || (token === (good ?? 0) - 1 && at - lastRotation <= REPEAT_MS)).toBe(true)
            if (token === good) lastRotation = at
            if (each.act === 'owner') owner = got
            else thief = got
          } else expect(session.state().revokedAt).toBeDefined()
        }
      }
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['the good one', 5, 0, 'rotate'],
  ['the one before, at once', 4, 0, 'repeat'],
  ['the one before, in time', 4, REPEAT_MS, 'repeat'],
  ['the one before, too late', 4, REPEAT_MS + 1, 'reuse'],
  ['one of long ago, at once', 3, 0, 'reuse'],
  ['one that is not yet given out', 6, 0, 'refuse'],
  ['the good one, after the end', 5, LIFE_MS, 'refuse'],
])('%s', (_what, generation, ms, verdict) => {
  const start = Date.UTC(2026, 0, 1)
  const state = { generation: 5, refreshedAt: new Date(start), expiresAt: new Date(start + LIFE_MS) }
  const now = new Date(start + ms)
  expect(judgeRefresh(state, generation, now)).toBe(verdict)
  expect(judgeRefresh({ ...state, revokedAt: now }, generation, now)).toBe('refuse')
  expect(judgeRefresh({ expiresAt: state.expiresAt }, generation, now)).toBe('refuse')
})

describe('refresh tokens', () => {
  const tokens = createRefreshTokens(createKeyring(new Uint8Array(32).fill(1)))
  const others = createRefreshTokens(createKeyring(new Uint8Array(32).fill(2)))
  const ticket = fc.record({ sessionId: fc.uuid(), generation: fc.integer({ min: 1, max: 999_999_999 }) })

  test('are read as they were made, and nobody else’s are', () => {
    fc.assert(
      fc.property(ticket, (made) => {
        expect(tokens.read(tokens.make(made))).toEqual(made)
        expect(others.read(tokens.make(made))).toBeUndefined()
      }),
    )
  })

  test('with any character changed are not ours', () => {
    const token = tokens.make({ sessionId: newId(), generation: 12 })
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: token.length - 1 }),
        fc.string({ minLength: 0, maxLength: 2 }),
        (at, put) => {
          const altered = token.slice(0, at) + put + token.slice(at + 1)
          fc.pre(altered !== token)
          expect(tokens.read(altered)).toBeUndefined()
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('are none of any other text', () => {
    fc.assert(fc.property(fc.string(), (text) => expect(tokens.read(text)).toBeUndefined()))
  })
})
