import { randomBytes, randomUUID } from 'node:crypto'
import { type Answer, Refused } from '../http.ts'
import { type Fields, isFields } from '../json.ts'
import { Phone } from '../phone.ts'
import { check, same } from './report.ts'
import type { World } from './world.ts'

/** What the first messenger sends, and what may be asked besides of one that came later. */
function forms(): Fields[] {
  const [first, environment] = [{ platform: 'ios' }, { environment: 'sandbox' }]
  return [first, { ...first, ...environment }, { ...first, ...environment, ...newInstallation() }]
}

export async function devices(world: World): Promise<void> {
  const { report, bob } = world
  let form: Fields = {}
  let deviceToken = apnsToken()
  let id: string | null = null

  await report.step('a device is registered', async () => {
    const refusals: string[] = []
    for (form of forms()) {
      const answer = await register(bob, form, deviceToken).catch((error: unknown) => error)
      if (!(answer instanceof Error)) {
        id = idIn(answer as Answer)
        report.note(`a device is registered with ${Object.keys(form)},deviceToken`)
        return
      }
      refusals.push(`${JSON.stringify(form)} ${answer.message}`)
      if (!(answer instanceof Refused) || ![400, 422].includes(answer.status)) break
    }
    throw new Error(`expected a form that registers a device, got ${refusals.join('; ')}`)
  })
  await report.step('registered again, it is the same device', async () => {
    const answer = await register(bob, form, deviceToken)
    same([answer.status, idIn(answer)], [200, id], 'status and id')
  })
  await report.step('with a refreshed token, it is the same device', async () => {
    deviceToken = apnsToken()
    same(idIn(await register(bob, form, deviceToken)), id, 'id')
    const again = await register(bob, form, deviceToken)
    same([again.status, idIn(again)], [200, id], 'status and id of the repeat')
  })
  await others(world, form, deviceToken)
}

async function others(world: World, form: Fields, deviceToken: string): Promise<void> {
  const { report, alice, bob, base } = world
  await report.step('a second phone of an account is another device', async () => {
    const second = new Phone(base, bob.account)
    await second.login()
    // Its build is one for developers, whose tokens another service of Apple's knows.
    const its = {
      ...form,
      environment: 'sandbox',
      ...(form.installationId !== undefined && newInstallation()),
    }
    const [one, other] = [
      await register(bob, form, deviceToken),
      await register(second, its, apnsToken()),
    ].map(idIn)
    check(one !== other, 'two devices', [one, other])
  })
  await report.step('an Android phone is registered', async () => {
    const token = `${randomBytes(16).toString('base64url')}:APA91b${randomBytes(90).toString('base64url')}`
    await register(alice, { platform: 'android' }, token)
  })
  await report.step('a phone that changes hands is registered by whoever has it', async () => {
    const token = apnsToken()
    const [first, next, again] = [bob, alice, bob].map(({ account }) => new Phone(base, account))
    for (const owner of [first, next, again]) {
      await owner?.login()
      if (owner !== undefined) await register(owner, form, token)
    }
    const left = await first?.api
      .me()
      .catch((error: unknown) => (error instanceof Refused ? error.message : error))
    report.note(`the login of the one who had the phone before: ${JSON.stringify(left)}`)
  })
}

async function register(by: Phone, form: Fields, deviceToken: string): Promise<Answer> {
  const answer = await by.api.registerDevice({ ...form, deviceToken })
  check(!answer.text.includes(deviceToken), 'the token not to be told back', answer.text)
  return answer
}

/** By which a device is known again; the name of the key is the service's affair. */
function idIn(answer: Answer): string {
  const { body } = answer
  const within = isFields(body) ? (body.device ?? body.data ?? body) : null
  const id = isFields(within) ? (within.id ?? within.deviceId) : null
  check(typeof id === 'string', 'the id of a device', answer.text)
  return id
}

const newInstallation = (): Fields => ({ installationId: randomUUID() })
const apnsToken = (): string => randomBytes(32).toString('hex')
