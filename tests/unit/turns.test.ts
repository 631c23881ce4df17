import fc from 'fast-check'
import { createTurns } from '../../src/lib/turns.ts'

test('work of one key is done one after the other and in order, also after a failure; other keys do not wait', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), fails: fc.boolean(), rounds: fc.nat(5) }), {
        maxLength: 30,
      }),
      async (works) => {
        const inTurn = createTurns()
        const running = new Set<string>()
        const ended: { key: string; index: number }[] = []
        const answers = await Promise.allSettled(
          works.map(({ key, fails, rounds }, index) =>
            inTurn(key, async () => {
              expect(running.has(key)).toBe(false)
              running.add(key)
              for (let round = 0; round < rounds; round += 1) await Promise.resolve()
              running.delete(key)
              ended.push({ key, index })
              if (fails) throw new Error(`${index}`)
              return index
            }),
          ),
        )
        for (const [index, { fails }] of works.entries()) {
          expect(answers[index]).toEqual(
            fails
              ? { status: 'rejected', reason: new Error(`${index}`) }
              : { status: 'fulfilled', value: index },
          )
        }
        for (const name of ['a', 'b', 'c']) {
          const order = ended.filter(({ key }) => key === name).map(({ index }) => index)
          expect(order).toEqual(order.toSorted((one, two) => one - two))
        }
      },
    ),
  )
})

test('another key goes on while one waits', async () => {
  const inTurn = createTurns()
  const { promise, resolve } = Promise.withResolvers<void>()
  const held = inTurn('a', () => promise)
  expect(await inTurn('b', async () => 'done')).toBe('done')
  resolve()
  await held
})
