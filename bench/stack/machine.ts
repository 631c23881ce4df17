import { execFileSync } from 'node:child_process'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** What the numbers depend on. The load before the start tells whether others were working on the machine. */
export function describeMachine() {
  const all = cpus()
  return {
    cores: all.length,
    model: all[0]?.model ?? '',
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.version,
    redis: /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? '',
    loadBefore: loadavg(),
  }
}
