import { startNodeProcess } from './node-process.ts'
import type { Stack } from './start-stack.ts'

/** A worker of the messages lane beside the others. */
export const startMessageWorker = ({ env, logOf }: Stack) =>
  startNodeProcess({
    command: ['workers/main.ts', '--lane', 'messages'],
    env,
    log: logOf('worker-messages'),
    ready: 'workers are ready',
  })
