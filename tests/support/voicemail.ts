import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DAY } from '../../src/lib/units.ts'
import { apnsToken, fcmToken, type GatewayOptions, startTestGateway, type TestGateway } from './gateway.ts'
import { wav } from './recordings.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export const BOUNDARY = '----wakeline-test'

export interface Part {
  name?: string
  filename?: string
  type?: string
  content: string | Buffer
}

/** A multipart body, also one that no client would write. */
export function multipart(parts: readonly Part[], { end = `--${BOUNDARY}--\r\n` } = {}): Buffer {
  const pieces = parts.flatMap(({ name, filename, type, content }) => [
    `--${BOUNDARY}\r\nContent-Disposition: form-data`,
    name === undefined ? '' : `; name="${name}"`,
    filename === undefined ? '' : `; filename="${filename}"`,
    type === undefined ? '' : `\r\nContent-Type: ${type}`,
    '\r\n\r\n',
    content,
    '\r\n',
  ])
  return Buffer.concat([...pieces, end].map((piece) => Buffer.from(piece)))
}

export const MULTIPART = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }

let messages = 0
/** The parts of a good upload. */
export const parts = (
  fields: Record<string, string> = {},
  audio: Buffer = wav(),
  filename = 'msg0001.wav',
): Part[] => {
  messages += 1
  return [
    ...Object.entries({ box: '100', external_id: `m-${messages}`, ...fields }).map(([name, content]) => ({
      name,
      content,
    })),
    { name: 'audio', filename, type: 'audio/x-wav', content: audio },
  ]
}

/** Every file below a directory, by its path. */
export const filesBelow = async (directory: string): Promise<string[]> => {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
}

export type TestVoicemail = Awaited<ReturnType<typeof startVoicemail>>

/** A gateway with a directory for recordings, and what voicemail is tried with. */
export async function startVoicemail(options: GatewayOptions) {
  await using opened = new AsyncDisposableStack()
  const directory = opened.use(await temporaryDirectory())
  const folder = join(directory.path, 'voicemail')
  const env = { VOICEMAIL_DIR: folder, ...options.env }
  const gateway = opened.use(await startTestGateway({ ...options, env }))
  const all = opened.move()
  return {
    ...surface(gateway),
    gateway,
    folder,
    outside: directory.path,
    files: () => filesBelow(folder),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

function surface(gateway: TestGateway) {
  const { context, tenant, url } = gateway
  const asPbx = { authorization: `Bearer ${tenant.pbxKey}` }
  const rows = (table: string) => context.db(table).select('*')

  const send = async (body: Buffer | ReadableStream, headers: Record<string, string> = {}) => {
    const response = await fetch(`${url}/api/v1/pbx/voicemail`, {
      method: 'POST',
      headers: { ...asPbx, ...MULTIPART, ...headers },
      body: body as Buffer<ArrayBuffer>,
      ...(body instanceof ReadableStream && { duplex: 'half' }),
    })
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers that the contract describes
    return { status: response.status, json: (await response.json()) as any }
  }

  return {
    send,
    upload: (fields: Record<string, string> = {}, audio?: Buffer) => send(multipart(parts(fields, audio))),
    box: (number: string, extensions: readonly string[], change: Record<string, unknown> = {}) =>
      gateway.pbx('PUT', `/voicemail-boxes/${number}`, { body: { extensions, ...change } }),
    /** What was deleted is erased a moment after the answer. */
    erased: () => context.files.idle(),
    messages: () => rows('voicemail_messages'),
    storedFiles: () => rows('stored_files'),
    /** An extension that is logged in. */
    async givenOwner(extension: string, tenantId: string = tenant.tenantId) {
      const { id } = await context.extensions.put(tenantId, extension, {})
      const sessionId = randomUUID()
      const now = new Date()
      await context.db('app_sessions').insert({
        id: sessionId,
        tenant_id: tenantId,
        extension_id: id,
        created_at: now,
        last_seen_at: now,
        expires_at: new Date(now.getTime() + DAY),
      })
      const { token } = await context.signAppToken({ extensionId: id, extension, sessionId }, DAY)
      const authorization = { authorization: `Bearer ${token}` }
      return {
        extensionId: id,
        authorization,
        app: (method: string, path: string, headers: Record<string, string> = {}) =>
          gateway.request(method, `/api/v1/app${path}`, { headers: { ...authorization, ...headers } }),
        async audio(id: number | string, headers: Record<string, string> = {}, method = 'GET') {
          const response = await fetch(`${url}/api/v1/app/voicemail/${id}/audio`, {
            method,
            headers: { ...authorization, ...headers },
          })
          const bytes = Buffer.from(await response.arrayBuffer())
          return { status: response.status, headers: response.headers, bytes }
        },
      }
    },
    /** Two phones that take notifications: an iPhone, also with a token for calls, and an Android. */
    async givenPhones(extension: string) {
      const [apns, voip, fcm] = [apnsToken(), apnsToken(), fcmToken()]
      const register = (deviceId: string, tokens: unknown[]) =>
        gateway.pbx('PUT', `/extensions/${extension}/devices/${deviceId}`, { body: { tokens } })
      await register(`iphone-${extension}`, [
        { kind: 'apns', token: apns },
        { kind: 'apns_voip', token: voip },
      ])
      await register(`android-${extension}`, [{ kind: 'fcm', token: fcm }])
      gateway.simulators.apns.registers(apns, 'production')
      return { apns, voip, fcm }
    },
    /** What the simulators took for these phones, oldest first. */
    pushesTo: ({ apns, voip, fcm }: { apns: string; voip: string; fcm: string }) => ({
      apns: gateway.simulators.apns.received.filter((push) => push.token === apns),
      voip: gateway.simulators.apns.received.filter((push) => push.token === voip),
      fcm: gateway.simulators.fcm.received.filter((push) => push.token === fcm),
    }),
  }
}
