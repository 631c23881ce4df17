import { Api } from '../api.ts'
import { check, isUuid, refusal, same } from './report.ts'
import type { World } from './world.ts'

export async function accounts(world: World): Promise<void> {
  const { report, alice, bob, stranger, base } = world
  await report.step('registering is refused', async () => {
    await refusal(
      new Api(base).register('somebody-new', 'a-Long-enough-password-1'),
      [400, 403, 405, 409, 410, 501],
    )
  })
  await report.step('login', async () => {
    for (const phone of [alice, bob, ...(stranger === null ? [] : [stranger])]) await phone.login()
  })
  await report.step('a wrong password is refused', async () => {
    const wrong = await refusal(new Api(base).login(alice.account.username, 'wrong-password-of-hers'), [401])
    const nobody = await refusal(new Api(base).login('nobody-at-all', 'wrong-password-of-hers'), [401])
    same(nobody.code, wrong.code, 'the same code for a name that is not there:')
  })
  await report.step('me', async () => {
    for (const phone of [alice, bob]) {
      const me = await phone.api.me()
      isUuid(me.id, 'the id of /me')
      same(me.username, phone.account.username, 'username')
    }
    check(alice.me.id !== bob.me.id, 'two users', alice.me.id)
  })
  await report.step('me without a token is refused', async () => {
    await refusal(new Api(base).me(), [401])
  })
}
