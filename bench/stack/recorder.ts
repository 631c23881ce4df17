import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { RecorderReady, RecorderReport } from '../programs/recorder.ts'

const PROGRAM = fileURLToPath(new URL('../programs/recorder.ts', import.meta.url))

export interface Recorder extends AsyncDisposable {
  pid: number
  ready: RecorderReady
  /** What has arrived since the last reset. */
  report(): Promise<RecorderReport>
  reset(): Promise<void>
}

/** Apple's gateway in a process of its own, which counts and times what arrives. */
export async function startRecorder(directory: string): Promise<Recorder> {
  const child = fork(PROGRAM, [directory], { execArgv: ['--disable-warning=ExperimentalWarning'] })
  const [ready] = (await once(child, 'message')) as [RecorderReady]
  const ask = async (question: 'report' | 'reset') => {
    child.send(question)
    const [answer] = await once(child, 'message')
    return answer
  }
  return {
    pid: child.pid ?? 0,
    ready,
    report: () => ask('report') as Promise<RecorderReport>,
    reset: () => ask('reset') as Promise<void>,
    async [Symbol.asyncDispose]() {
      child.kill()
      await once(child, 'exit')
    },
  }
}
