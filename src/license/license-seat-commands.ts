import { writeFile } from 'node:fs/promises'
import { StartError } from '../lib/start-error.ts'
import { DAY } from '../lib/units.ts'
import {
  askFor,
  askingCommand,
  bodyOf,
  checked,
  type JsonOption,
  LICENSE_ARGUMENT,
  type LicenseShell,
  mustBeSure,
  print,
  toNumber,
  toUuid,
  withLicense,
  type YesOption,
} from './license-command-parts.ts'
import { factsText } from './license-text.ts'
import { describeInstallation } from './license-views.ts'
import { ExportBody, SeatTransferBody } from './operator-license-schemas.ts'

const ACTOR = 'shell'

export const deactivateCommand = (shell: LicenseShell) =>
  askingCommand(
    'deactivate',
    'frees the seat of a machine, which has to be activated again',
    'deactivate WL-7XK2MA 5f0c6d0e-3c1b-4f0e-9d39-0a5f1f1f8b11',
  )
    .argument('<license>', LICENSE_ARGUMENT)
    .argument('<instance_id>', 'of the installation, as `wakeline license show` lists it', toUuid)
    .action((word: string, instanceId: string, options: JsonOption & YesOption) => {
      mustBeSure(shell, options)
      return withLicense(shell, word, async (deps, id) => {
        await askFor(shell, options, deps, id, `The machine of ${instanceId} loses its seat.`)
        const freed = await deps.installations.deactivate({ id }, instanceId, 'forced', ACTOR)
        print(options, { installation: describeInstallation(freed) }, seatText(freed))
      })
    })

export const transferCommand = (shell: LicenseShell) =>
  askingCommand(
    'transfer',
    'gives the seat of one machine to another',
    'transfer WL-7XK2MA --from 5f0c6d0e-3c1b-4f0e-9d39-0a5f1f1f8b11 --hostname pbx2',
  )
    .argument('<license>', LICENSE_ARGUMENT)
    .requiredOption('--from <instance_id>', 'whose seat it is')
    .requiredOption('--hostname <name>', 'of the new machine')
    .option('--fingerprint <fingerprint>', 'of the new machine, if it has one')
    .action((word: string, options: JsonOption & YesOption) => {
      const { from, hostname, fingerprint } = checked(SeatTransferBody, bodyOf(options))
      mustBeSure(shell, options)
      return withLicense(shell, word, async (deps, id) => {
        await askFor(shell, options, deps, id, `The machine of ${from} loses its seat to ${hostname}.`)
        // Its version is told when the machine activates itself.
        const machine = { hostname, fingerprint, version: '' }
        const moved = await deps.installations.transfer({ id }, from, machine, ACTOR)
        print(options, { installation: describeInstallation(moved) }, seatText(moved))
      })
    })

const seatText = (seat: Parameters<typeof describeInstallation>[0]): string => {
  const described = describeInstallation(seat)
  return factsText([
    ['installation', described.instance_id],
    ['host', described.hostname],
    [
      'seat',
      described.deactivated_at === null
        ? `since ${described.activated_at}`
        : `free since ${described.deactivated_at}`,
    ],
  ])
}

interface ExportOptions extends JsonOption, YesOption {
  out?: string
}

export const exportCommand = (shell: LicenseShell) =>
  askingCommand(
    'export',
    'makes a signed licence file, for a PBX without a way to us; nobody can call it back',
    'export WL-7XK2MA --days 30 --out acme.license',
  )
    .argument('<license>', LICENSE_ARGUMENT)
    .option('--fingerprint <fingerprint>', 'the machine it is for; any if absent')
    .option('--days <number>', 'how long it is good, at most 90 (default: 30)', toNumber)
    .option('--out <file>', 'writes it there, and not to standard output')
    .action((word: string, options: ExportOptions) => {
      const { fingerprint, days } = checked(ExportBody, bodyOf(options))
      mustBeSure(shell, options)
      return withLicense(shell, word, async (deps, id) => {
        const whose = fingerprint === undefined ? 'any machine' : `the machine ${fingerprint}`
        await askFor(
          shell,
          options,
          deps,
          id,
          `A file for ${whose}: for ${days} days nobody can call it back.`,
        )
        const { file, expiresAt } = await deps.exportLicense(id, { fingerprint, lifeMs: days * DAY }, ACTOR)
        const until = new Date(expiresAt).toISOString()
        if (options.out !== undefined) await write(options.out, file)
        const text = options.out === undefined ? file : `${options.out} is good until ${until}`
        print(options, { file, expires_at: until }, text)
      })
    })

/** Never over a file that is there. */
async function write(path: string, file: string): Promise<void> {
  try {
    await writeFile(path, `${file}\n`, { flag: 'wx' })
  } catch (cause) {
    const { code = 'unwritable' } = cause as NodeJS.ErrnoException
    throw new StartError(
      code === 'EEXIST' ? `--out: ${path} exists` : `--out: ${path} cannot be written (${code})`,
    )
  }
}
