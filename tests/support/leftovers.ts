import { readdir, readFile } from 'node:fs/promises'

/**
 * Ends whatever was started with this variable in its environment. Jest's workers outlive a Jest that was
 * interrupted and go on testing; what they started ends with them. Jest itself got the variable only later.
 */
export async function endLeftovers(name: string, value: string): Promise<void> {
  const entries = await readdir('/proc').catch(() => [])
  const pids = entries.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid)
  await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
      if (environment.split('\0').includes(`${name}=${value}`)) killIfThere(pid)
    }),
  )
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has just ended by itself.
  }
}
