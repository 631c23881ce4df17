import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { StartError } from '../lib/start-error.ts'

/** Under whom PostgreSQL runs. */
export interface PostgresAccount {
  /** The words before a program's name that make it run as this account and die with us. */
  prefix: readonly string[]
  /** Whom the files have to be given to; absent when that is ourselves. */
  owner?: Owner
}
interface Owner {
  uid: number
  gid: number
}

/**
 * What PostgreSQL gets instead of our environment, which holds our secrets and perhaps PGPORT, PGDATA or a
 * LD_LIBRARY_PATH of another PostgreSQL.
 */
export const POSTGRES_ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
}

/** SIGINT is PostgreSQL's fast shutdown: a killed Wakeline leaves a cleanly stopped database. */
const DIE_WITH_US = ['setpriv', '--pdeathsig', 'INT']

/**
 * Walking through directories that are closed to the account, such as /root. Without the secure bit, changing the
 * user would set the capability aside for access(2), which PostgreSQL asks before it runs its own programs.
 */
const REACH_ANYWHERE = [
  '--securebits=+no_setuid_fixup',
  '--inh-caps=-all,+dac_read_search',
  '--ambient-caps=-all,+dac_read_search',
]

/**
 * PostgreSQL refuses to run as root, so root lends it an account.
 * @param cluster the cluster's directory, which need not exist: its owner stays its owner
 * @param reach what the account must get at: a program and a directory
 */
export async function choosePostgresAccount(
  cluster: string,
  reach: readonly string[],
): Promise<PostgresAccount> {
  const uid = process.getuid?.()
  if (uid !== 0) return ordinaryAccount(uid, cluster)

  const owner = await chooseOwner(cluster)
  const lent = [...DIE_WITH_US, `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups']
  const reachable = [
    'test',
    ...reach.flatMap((path, index) => (index > 0 ? ['-a', '-x', path] : ['-x', path])),
  ]
  for (const prefix of [lent, [...lent, ...REACH_ANYWHERE]]) {
    if (await succeeds([...prefix, ...reachable])) return { prefix, owner }
  }
  if (await succeeds([...lent, 'true'])) {
    throw new StartError(
      `PostgreSQL does not run as root, and account ${owner.uid} may not enter ${reach.join(' or ')}: run Wakeline as a normal user, or move both out of private directories.`,
    )
  }
  throw new StartError(
    'PostgreSQL does not run as root, and setpriv cannot switch to another account: run Wakeline as a normal user, or install util-linux.',
  )
}

async function ordinaryAccount(uid: number | undefined, cluster: string): Promise<PostgresAccount> {
  const found = await ownerOf(cluster)
  if (found && uid !== undefined && found.uid !== uid) {
    throw new StartError(
      `${cluster} belongs to user ${found.uid}, but Wakeline runs as user ${uid}: run it as its owner, or give the directory away with chown -R.`,
    )
  }
  // Where setpriv is missing (macOS, Alpine), a killed Wakeline leaves PostgreSQL running until the next start.
  return { prefix: (await succeeds([...DIE_WITH_US, 'true'])) ? DIE_WITH_US : [] }
}

async function chooseOwner(cluster: string): Promise<Owner> {
  const found = await ownerOf(cluster)
  if (found && found.uid !== 0) return found
  const accounts = parseAccounts(await readFile('/etc/passwd', 'utf8').catch(() => ''))
  const owner = accounts.get('postgres') ?? accounts.get('nobody')
  if (owner) return owner
  throw new StartError(
    'PostgreSQL does not run as root, and there is neither an account postgres nor nobody: run Wakeline as a normal user.',
  )
}

async function ownerOf(path: string): Promise<Owner | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found && { uid: found.uid, gid: found.gid }
}

function parseAccounts(passwd: string): Map<string, Owner> {
  const rows = passwd.split('\n').map((line) => line.split(':'))
  return new Map(rows.map(([name = '', , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]))
}

function succeeds([program = '', ...words]: readonly string[]): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  execFile(program, words, { env: POSTGRES_ENVIRONMENT }, (error) => resolve(error === null))
  return promise
}
