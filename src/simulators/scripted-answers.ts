/** What a simulator was told to answer for single tokens, in place of its own judgement. */
export interface ScriptedAnswers<Answer> {
  /** Each answer is used once, in order; then the permanent one, or the default. */
  once(token: string, ...answers: readonly Answer[]): void
  /** For every push from now on. */
  always(token: string, answer: Answer): void
  forget(token: string): void
  /** Takes the next answer for a push that has just arrived; `undefined` leaves it to the simulator. */
  next(token: string): Answer | undefined
}

export function createScriptedAnswers<Answer>(): ScriptedAnswers<Answer> {
  const queued = new Map<string, Answer[]>()
  const permanent = new Map<string, Answer>()
  return {
    once(token, ...answers) {
      queued.set(token, [...(queued.get(token) ?? []), ...answers])
    },
    always(token, answer) {
      permanent.set(token, answer)
    },
    forget(token) {
      queued.delete(token)
      permanent.delete(token)
    },
    next(token) {
      const waiting = queued.get(token)
      const answer = waiting?.shift()
      if (waiting?.length === 0) queued.delete(token)
      return answer ?? permanent.get(token)
    },
  }
}
