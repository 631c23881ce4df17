import type { Measurement } from '../rows/measurement.ts'

/** The lines of several runs of one row as one: the median of each number. */
export function medians(runs: readonly (readonly Measurement[])[]): Measurement[] {
  const [first = []] = runs
  return first.map((line) => {
    const same = runs.flatMap((run) => run.filter(({ id }) => id === line.id))
    const value = median(same.map((found) => found.value))
    const floors = same.flatMap(({ floor }) => (floor === undefined ? [] : [floor]))
    return { ...line, value, ...(floors.length > 0 && { floor: median(floors) }) }
  })
}

/** Of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[sorted.length % 2 ? middle : middle - 1],
    sorted[middle],
  ]
  return (low + high) / 2
}
