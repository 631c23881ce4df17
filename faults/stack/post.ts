import type { Lane } from '../../src/push/push-kinds.ts'
import { type Program, startProgram } from '../../tests/support/cluster.ts'
import type { Exit } from '../history/history.ts'

/** A place where one program runs at a time: what dies there is replaced, as a supervisor would. */
export interface Post {
  readonly name: string
  readonly lane?: Lane
  readonly program: Program
  /** @param args of another program than the usual one: of one that may kill itself */
  start(args?: readonly string[]): Promise<void>
  /** Ends the program by SIGKILL. */
  kill(): Promise<void>
  freeze(): void
  thaw(): void
  /** Tells the program to stop, and waits until it has. */
  stop(): Promise<void>
}

/** Everything that ran at the posts. */
export interface Roster {
  programs: Program[]
  exits: Exit[]
}

export interface PostOptions {
  name: string
  lane?: Lane
  /** What follows `node`. */
  args: readonly string[]
  env: Record<string, string>
  /** What it logs when it is ready. */
  ready: string
}

export function openPost(options: PostOptions, roster: Roster): Post & AsyncDisposable {
  const { name, lane, args: usual, env, ready } = options
  let program: Program | undefined
  let asked: Exit['asked'] = 'nothing'
  const running = (): Program => {
    if (!program) throw new Error(`nothing runs at ${name}`)
    return program
  }
  const end = async (how: Exit['asked'], signal: NodeJS.Signals) => {
    asked = how
    running().kill(signal)
    await running().exited
  }
  return {
    name,
    ...(lane !== undefined && { lane }),
    get program() {
      return running()
    },
    async start(args = usual) {
      asked = 'nothing'
      const mayCrash = args !== usual
      const started = startProgram(`${name} (${roster.programs.length + 1})`, args, env)
      program = started
      roster.programs.push(started)
      void started.exited.then(({ code, signal }) => {
        const isCrash = mayCrash && asked === 'nothing' && signal === 'SIGKILL'
        roster.exits.push({ name: started.name, code, signal, asked: isCrash ? 'killed' : asked })
      })
      await started.logged(ready)
    },
    kill: () => end('killed', 'SIGKILL'),
    freeze: () => running().kill('SIGSTOP'),
    thaw: () => running().kill('SIGCONT'),
    stop: () => end('stopped', 'SIGTERM'),
    async [Symbol.asyncDispose]() {
      await program?.[Symbol.asyncDispose]()
    },
  }
}
