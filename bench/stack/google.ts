import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { GoogleReady, GoogleReport } from '../programs/google.ts'

const PROGRAM = fileURLToPath(new URL('../programs/google.ts', import.meta.url))

export interface Google extends AsyncDisposable {
  env: Record<string, string>
  /** From now on every message is answered with 503, or taken again. */
  tell(what: 'fail' | 'recover'): Promise<GoogleReport>
  report(): Promise<GoogleReport>
}

/** FCM in a process of its own. */
export async function startGoogle(directory: string): Promise<Google> {
  const child = fork(PROGRAM, [directory], { execArgv: ['--disable-warning=ExperimentalWarning'] })
  const [{ env }] = (await once(child, 'message')) as [GoogleReady]
  const ask = async (what: string) => {
    child.send(what)
    const [answer] = (await once(child, 'message')) as [GoogleReport]
    return answer
  }
  return {
    env,
    tell: ask,
    report: () => ask('report'),
    async [Symbol.asyncDispose]() {
      child.kill()
      await once(child, 'exit')
    },
  }
}
