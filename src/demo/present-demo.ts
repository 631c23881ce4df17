import type { Env } from '../config/env.ts'
import { findTarget, type TargetOptions } from './find-target.ts'
import { type Paint, renderCall } from './render-call.ts'
import { type DemoReport, runDemo } from './run-demo.ts'
import { HOLD_SECONDS, SCENARIOS } from './scenarios.ts'

export interface DemoOptions extends TargetOptions {
  json?: boolean
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
): Promise<DemoReport> {
  const say = options.json ? () => undefined : print
  await using found = await findTarget(options, env, say, told)
  say(`\n${SCENARIOS.length} calls to ${found.described}, each held for up to ${HOLD_SECONDS} s\n`)
  let number = 0
  const report = await runDemo(found.target, told, (call) => {
    number += 1
    say(renderCall(call, number, paint))
  })
  if (options.json) print(JSON.stringify(report, null, 2))
  else say(`${paint(report.ok ? 'green' : 'red', report.ok ? 'All good.' : 'FAILED.')} ${report.summary}\n`)
  return report
}
