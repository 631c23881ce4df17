/** Numbers that look random and are the same for the same seed (mulberry32), so that a run can be had again. */
export interface Random {
  /** From 0 to below 1. */
  next(): number
  /** True in this share of the cases. */
  chance(share: number): boolean
  /** One of them; there must be one. */
  pick<T>(choices: readonly T[]): T
  /** Lower-case hexadecimal digits. */
  hex(bytes: number): string
  /** Another sequence, which does not change with what is asked of this one. */
  fork(): Random
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    chance: (share) => next() < share,
    pick(choices) {
      const index = Math.floor(next() * choices.length)
      const [choice] = choices.slice(index, index + 1)
      if (choice === undefined) throw new Error('nothing to pick from')
      return choice
    },
    hex: (bytes) =>
      Array.from({ length: bytes }, () =>
        Math.floor(next() * 256)
          .toString(16)
          .padStart(2, '0'),
      ).join(''),
    fork: () => createRandom(Math.floor(next() * 2 ** 32)),
  }
}
