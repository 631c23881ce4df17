import type { Env } from '../config/env.ts'
import { type ChatDemoReport, runChatDemo } from './chat/run-chat-demo.ts'
import { findTarget, type TargetOptions } from './find-target.ts'
import { type Paint, renderCall, renderStory } from './render-call.ts'
import { type DemoReport, runDemo } from './run-demo.ts'
import { HOLD_SECONDS, SCENARIOS } from './scenarios.ts'

export interface DemoOptions extends TargetOptions {
  json?: boolean
  chat?: boolean
}

interface Output {
  env: Env
  print: (text: string) => void
  paint: Paint
  /** Aborts when nobody wants to see the rest. */
  told: AbortSignal
}

/** The demo in front of a person, or as one JSON document for a program. */
export async function presentDemo(
  options: DemoOptions,
  { env, print, paint, told }: Output,
): Promise<DemoReport | ChatDemoReport> {
  const say = options.json ? () => undefined : print
  await using found = await findTarget(options, env, say, told)
  const what = options.chat
    ? 'Ada and Bob write to each other over'
    : `${SCENARIOS.length} calls, each held for up to ${HOLD_SECONDS} s, to`
  say(`\n${what} ${found.described}\n`)
  let number = 0
  const next = () => {
    number += 1
    return number
  }
  const report = options.chat
    ? await runChatDemo(found.target, told, (chat) => say(renderStory(chat, next(), paint)))
    : await runDemo(found.target, told, (call) => say(renderCall(call, next(), paint)))
  if (options.json) print(JSON.stringify(report, null, 2))
  else say(`${paint(report.ok ? 'green' : 'red', report.ok ? 'All good.' : 'FAILED.')} ${report.summary}\n`)
  return report
}
