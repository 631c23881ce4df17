import type { Story } from '../render-call.ts'
import type { Target } from '../run-demo.ts'
import { type Cast, gatherCast } from './chat-cast.ts'
import { CHAT_SCENARIOS, type ChatScenario } from './chat-scenarios.ts'
import { chatTimeline } from './chat-timeline.ts'
import { type ChatCheck, check, complaintOf } from './judge-chat.ts'

/** What `--json` prints per scenario. */
export interface ChatReport extends Story {
  checks: ChatCheck[]
}
/** What `--json` prints. */
export interface ChatDemoReport {
  ok: boolean
  url: string
  chats: ChatReport[]
  summary: string
}

/** @param onChat told about each scenario as soon as it is over */
export async function runChatDemo(
  target: Target,
  told: AbortSignal,
  onChat: (chat: ChatReport) => void,
): Promise<ChatDemoReport> {
  await using cast = await gatherCast(target, told)
  const chats: ChatReport[] = []
  for (const scenario of CHAT_SCENARIOS) {
    told.throwIfAborted()
    const chat = await play(scenario, cast)
    chats.push(chat)
    onChat(chat)
  }
  const good = chats.filter(({ ok }) => ok).length
  return {
    ok: good === chats.length,
    url: target.url,
    chats,
    summary: `${good} of ${chats.length} went as they should.`,
  }
}

async function play({ title, about, moral, play: perform }: ChatScenario, cast: Cast): Promise<ChatReport> {
  const since = Date.now()
  const own = await perform(cast)
  const complaints = cast.errors.map(({ message }) => message)
  const checks = [...own, check('no complaint of a phone', [], complaints)]
  const ok = checks.every((each) => each.ok)
  const timeline = chatTimeline(cast, since)
  return { title, about, timeline, checks, verdict: ok ? moral : complaintOf(checks), ok }
}
