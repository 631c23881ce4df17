import { type ChatEvent, type ChatMessage, userIdOf } from '../chat.ts'
import { describeCompatibleMessage } from '../compatible-schemas.ts'
import type { SyncCursors } from '../sync-cursor.ts'

/** What the server says, as docs/chat.md has it: in the names of a messenger's client. */

export const frame = (type: string, payload: object, more: object = {}): string =>
  JSON.stringify({ type, ...more, payload })

/** As the messenger's client knows it, and what it would have to ask for otherwise. When it was delivered and read is told by receipts. */
export const describeMessage = (tenantId: string, message: ChatMessage) => ({
  ...describeCompatibleMessage(tenantId, message),
  senderName: message.senderName,
  senderExtension: message.senderNumber,
  replyTo: message.replyTo ?? null,
  mentions: message.mentions.map((id) => userIdOf(tenantId, id)),
})

function payloadOf(tenantId: string, event: ChatEvent): object {
  const { type, conversationId, message, receipt, member } = event
  if (message) return { message: describeMessage(tenantId, message) }
  if (receipt) {
    return {
      conversationId,
      userId: userIdOf(tenantId, receipt.extensionId),
      extension: receipt.number,
      messageId: receipt.messageId,
      upToSeq: receipt.seq,
      [type === 'message.read' ? 'readAt' : 'deliveredAt']: receipt.at,
    }
  }
  if (member) {
    const userId = userIdOf(tenantId, member.extensionId)
    return { conversationId, userId, extension: member.number, name: member.name }
  }
  return { conversationId }
}

/**
 * Events as text. A message goes to many people at once and looks the same to all of them, save for the number that it has among the
 * events of each; so it is described once.
 */
export function createEventTexts(cursors: SyncCursors) {
  const bodies = new WeakMap<ChatMessage, Map<string, string>>()
  const make = (tenantId: string, event: ChatEvent): string =>
    `"type":${JSON.stringify(event.type)},"payload":${JSON.stringify(payloadOf(tenantId, event))}`
  const bodyOf = (tenantId: string, event: ChatEvent): string => {
    const { type, message } = event
    if (!message) return make(tenantId, event)
    const byType = bodies.get(message) ?? new Map<string, string>()
    bodies.set(message, byType)
    const known = byType.get(type) ?? make(tenantId, event)
    byType.set(type, known)
    return known
  }
  return ({ tenantId, extensionId }: { tenantId: string; extensionId: number }, event: ChatEvent): string =>
    `{${bodyOf(tenantId, event)},"seq":${event.seq},"cursor":"${cursors.of(extensionId, event.seq)}"}`
}
