import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Reads what to end and what to remove, and does it when its input ends: that happens whenever the process at the
 * other end is gone, also by SIGKILL, which no exit hook sees. A frozen process takes no signal but SIGKILL.
 */
const SCRIPT = `
pids=
while read -r verb value; do
  case $verb in
    watch) pids="$pids $value" ;;
    forget) rest=; for pid in $pids; do [ "$pid" = "$value" ] || rest="$rest $pid"; done; pids=$rest ;;
    directory) set -- "$@" "$value" ;;
  esac
done
for pid in $pids; do kill -CONT "$pid"; kill -QUIT "$pid"; done
for try in 1 2 3 4 5 6 7 8 9 10; do
  left=; for pid in $pids; do kill -0 "$pid" && left="$left $pid"; done
  [ -z "$left" ] && break
  sleep 0.2
done
for pid in $left; do kill -9 "$pid"; done
# A server that is still ending may write into what is being removed.
for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$@" && break; sleep 0.2; done
`

const guarded = new Set<string>()
let guard: ChildProcess | undefined

/** The process will not outlive us, whatever happens to us. */
export const guardProcess = (pid: number): (() => void) => add('watch', String(pid))

/** The directory will not outlive us, whatever happens to us. */
export const guardDirectory = (path: string): (() => void) => add('directory', path)

function add(verb: 'watch' | 'directory', value: string): () => void {
  guard ??= startGuard()
  guarded.add(value)
  guard.stdin?.write(`${verb} ${value}\n`)
  return () => {
    // Removing a directory a second time does no harm; ending a process number a second time might.
    if (verb === 'watch') guard?.stdin?.write(`forget ${value}\n`)
    guarded.delete(value)
    if (guarded.size > 0) return
    guard?.stdin?.end()
    guard = undefined
  }
}

function startGuard(): ChildProcess {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'guard'], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    // Without the variables of the run: what ends its leftovers must spare this one, which clears up after them.
    env: { PATH: process.env.PATH },
  })
  // It waits for us, so we must not wait for it.
  child.unref()
  if (child.stdin && 'unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
  return child
}
