import { openConnection } from './http-connection.ts'
import { createPbx } from './pbx.ts'

const CALLERS = 10

export const extensionNames = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`)

/** Extensions with one phone each, which never registers by itself. */
export async function phones(settings: {
  port: number
  pbxKey: string
  prefix: string
  count: number
}): Promise<void> {
  const pbx = createPbx(settings.pbxKey)
  const names = extensionNames(settings.prefix, settings.count)
  const work = async () => {
    const connection = await openConnection(settings.port)
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      for (const request of [pbx.extension(name), pbx.phone(name)]) {
        const { status, body } = await connection.send(request)
        if (status !== 200) throw new Error(`${status} ${body}`)
      }
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: CALLERS }, work))
}
