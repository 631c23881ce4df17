/** What every simulator tells about a push that it handed to the phone. */
export interface AcceptedPush {
  token: string
  /** Milliseconds since the epoch. */
  at: number
  /** The app's own part: the JSON body at Apple, `message.data` at Google. */
  payload: Readonly<Record<string, unknown>>
  /** Apple's `apns-topic`. */
  topic?: string
}

export type PushListener<P extends AcceptedPush> = (push: P) => void

export interface PushSource<P extends AcceptedPush = AcceptedPush> {
  /**
   * Calls the listener in the same tick in which a push was accepted.
   * @param token Only pushes for this one; without it all of them.
   * @returns Ends the subscription.
   */
  onAccepted(listener: PushListener<P>, token?: string): () => void
}

/** Listeners for one token are found by it: ten thousand phones must not each look at every push. */
export function createPushListeners<P extends AcceptedPush>(): PushSource<P> & { emit(push: P): void } {
  const everything = new Set<PushListener<P>>()
  const byToken = new Map<string, Set<PushListener<P>>>()
  return {
    onAccepted(listener, token) {
      const group = token === undefined ? everything : (byToken.get(token) ?? new Set())
      if (token !== undefined) byToken.set(token, group)
      group.add(listener)
      return () => {
        group.delete(listener)
        if (token !== undefined && group.size === 0 && byToken.get(token) === group) byToken.delete(token)
      }
    },
    emit(push) {
      for (const listener of [...everything, ...(byToken.get(push.token) ?? [])]) listener(push)
    },
  }
}
