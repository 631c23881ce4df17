import type { DeviceTimeline } from './device-timeline.ts'

/** What a person sees of a push. */
export interface ShownNotification {
  /** A new one with the same id takes the place of the old one: at Apple the collapse id. */
  id: string
  /** Those of one thread are shown as a group. */
  threadId: string
  title: string
  subtitle: string
  body: string
  /** Whether it was heard, too. */
  withSound: boolean
  conversationId?: string
  messageId?: string
}

export type NotificationCenter = ReturnType<typeof createNotificationCenter>

/** Notifications that nobody has looked at yet, and the number on the icon. */
export function createNotificationCenter(timeline: DeviceTimeline) {
  let shown: ShownNotification[] = []
  let badge = 0
  let isAllowed = true

  const remove = (conversationId: string, isMeant: (notification: ShownNotification) => boolean): void => {
    const kept = shown.filter(
      (notification) => notification.conversationId !== conversationId || !isMeant(notification),
    )
    const count = shown.length - kept.length
    shown = kept
    if (count > 0) timeline.note({ did: 'take back', conversationId, count })
  }
  return {
    /** Oldest first. */
    get shown(): readonly ShownNotification[] {
      return shown
    },
    get badge() {
      return badge
    },
    get isAllowed() {
      return isAllowed
    },
    /** The person's word in the settings of the phone; without it there is no number on the icon either. */
    allow(allowed: boolean): void {
      isAllowed = allowed
      if (allowed) return
      shown = []
      badge = 0
    },
    show(notification: ShownNotification): void {
      shown = [...shown.filter(({ id }) => id !== notification.id), notification]
    },
    setBadge(next: number): void {
      if (!isAllowed || next === badge) return
      badge = next
      timeline.note({ did: 'badge', badge })
    },
    /** Takes back what it shows of a conversation, or of those messages of it that are meant. */
    takeBack: (
      conversationId: string,
      isMeant: (messageId: string | undefined) => boolean = () => true,
    ): void => remove(conversationId, ({ messageId }) => isMeant(messageId)),
    /** The person has tapped it. */
    dismiss(notification: ShownNotification): void {
      shown = shown.filter((each) => each !== notification)
    },
    clear(): void {
      shown = []
    },
  }
}
