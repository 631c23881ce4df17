import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'

const POLICY = '/usr/sbin/policy-rc.d'

/** Finds redis-server on the PATH; on a bare Debian, root installs it. */
export function ensureRedisBinary(): void {
  if (hasRedis()) return
  const command = 'apt-get update && apt-get install -y --no-install-recommends redis-server'
  const isRoot = process.getuid?.() === 0
  if (!isRoot || !existsSync('/usr/bin/apt-get')) {
    throw new Error(`redis-server must be on the PATH: install it, on Debian by: sudo sh -c '${command}'`)
  }
  process.stderr.write(`redis-server is missing; installing it: ${command}\n`)
  withoutServices(() => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    execFileSync('/bin/sh', ['-c', command], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  })
  if (!hasRedis()) throw new Error('The package redis-server was installed, but its program does not run.')
}

const hasRedis = () => spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0

/** Debian starts a service as soon as it is installed, unless this file says no. */
function withoutServices(install: () => void): void {
  const mayStart = !existsSync(POLICY)
  if (mayStart) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    install()
  } finally {
    if (mayStart) rmSync(POLICY, { force: true })
  }
}
