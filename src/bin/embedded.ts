import { styleText } from 'node:util'
import { startWorkers } from '../../workers/start-workers.ts'
import { readEnv } from '../config/env.ts'
import { banner } from '../embedded/banner.ts'
import { runUntilStopped } from '../embedded/run-until-stopped.ts'
import { startEmbedded } from '../embedded/start-embedded.ts'
import { runOnce } from '../lib/run-program.ts'

/** `npm start`: all of Wakeline in one process, on a machine that has nothing but Node. */
await runOnce(() =>
  runUntilStopped(async (told) => {
    const running = await startEmbedded(readEnv(), startWorkers, told)
    // Plain where standard output is no terminal, and with NO_COLOR.
    console.log(banner(running.facts, (format, text) => styleText(format, text, { stream: process.stdout })))
    return running
  }),
)
