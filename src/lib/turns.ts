/**
 * Work of one key is done one after the other in this process, in the order in which it was asked for: who would only wait for a
 * lock of the database then waits without one of its connections.
 */
export function createTurns() {
  const last = new Map<string, Promise<unknown>>()
  return <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const turn = (last.get(key) ?? Promise.resolve()).then(work, work)
    last.set(key, turn)
    const leave = () => {
      if (last.get(key) === turn) last.delete(key)
    }
    turn.then(leave, leave)
    return turn
  }
}
export type Turns = ReturnType<typeof createTurns>
