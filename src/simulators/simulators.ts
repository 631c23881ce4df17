import { createHash, createPublicKey } from 'node:crypto'
import type { ApnsEnvironment } from './apns-protocol.ts'
import { createApnsSimulator } from './apns-simulator.ts'
import { createControlServer } from './control-server.ts'
import { loadOrCreateSimulatorCredentials, type SimulatorCredentials } from './credentials.ts'
import { createFcmSimulator } from './fcm-simulator.ts'
import { createPhoneRegistry } from './phone-registry.ts'

export interface SimulatorsOptions {
  /** Where the credentials are kept. */
  directory: string
  /** Ports; 0, the default, takes a free one. */
  apnsPort?: number
  apnsSandboxPort?: number
  fcmPort?: number
  controlPort?: number
  /** How many requests each simulator keeps (default 100,000); `false` keeps none. */
  record?: number | false
  /** Requests that Apple's gateways take at the same time on one connection. */
  maxConcurrentStreams?: number
}

/** Credentials of one app at the simulated vendors, in the shape in which Wakeline takes real ones. */
export interface SimulatedAppCredentials {
  id: string
  apns: {
    signingKey: string
    keyId: string
    teamId: string
    bundleId: string
    endpoints: { production: string; sandbox: string }
    ca: string
  }
  fcm: { projectId: string; clientEmail: string; privateKey: string; endpoint: string; ca: string }
}

export type Simulators = Awaited<ReturnType<typeof startSimulators>>

/** Starts Apple's two gateways, Google's, and the control server, all on 127.0.0.1. */
export async function startSimulators(options: SimulatorsOptions) {
  const credentials = await loadOrCreateSimulatorCredentials(options.directory)
  // What was opened is closed again when a later step fails, for instance on a port that is taken.
  await using opened = new AsyncDisposableStack()
  const [apns, apnsSandbox] = await startApns(options, credentials, opened)
  const fcm = opened.use(await startFcm(options, credentials))
  const phones = opened.adopt(createPhoneRegistry({ apns, apnsSandbox, fcm }), (registry) => registry.close())
  const control = opened.use(
    await createControlServer({ apns, apnsSandbox, fcm, phones }, options.controlPort ?? 0),
  )
  const running = opened.move()
  const close = () => running.disposeAsync()
  return {
    apns,
    apnsSandbox,
    fcm,
    phones,
    controlUrl: control.url,
    credentials: appCredentials(credentials, { production: apns.url, sandbox: apnsSandbox.url }, fcm.url),
    /** Paths of the files from which a client in another process reads its credentials. */
    files: credentials.files,
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function startApns(
  options: SimulatorsOptions,
  credentials: SimulatorCredentials,
  opened: AsyncDisposableStack,
) {
  const { signingKey, keyId, teamId, bundleId } = credentials.apns
  const shared = {
    accounts: [{ keyId, teamId, publicKey: createPublicKey(signingKey), bundleIds: [bundleId] }],
    certificates: credentials.certificates,
    tokenEnvironments: new Map<string, ApnsEnvironment>(),
    ...(options.record !== undefined && { record: options.record }),
    ...(options.maxConcurrentStreams !== undefined && { maxConcurrentStreams: options.maxConcurrentStreams }),
  }
  const { apnsPort = 0, apnsSandboxPort = 0 } = options
  const production = await createApnsSimulator({ ...shared, environment: 'production', port: apnsPort })
  opened.use(production)
  const sandbox = await createApnsSimulator({ ...shared, environment: 'sandbox', port: apnsSandboxPort })
  opened.use(sandbox)
  return [production, sandbox] as const
}

function startFcm(
  { fcmPort = 0, record }: SimulatorsOptions,
  { serviceAccount, certificates }: SimulatorCredentials,
) {
  const { project_id: projectId, client_email: clientEmail, private_key: privateKey } = serviceAccount
  return createFcmSimulator({
    projectId,
    serviceAccount: { clientEmail, publicKey: createPublicKey(privateKey) },
    certificates,
    port: fcmPort,
    accessTokenSecret: createHash('sha256').update(privateKey).digest(),
    ...(record !== undefined && { record }),
  })
}

function appCredentials(
  { apns, serviceAccount, certificates: { ca } }: SimulatorCredentials,
  endpoints: { production: string; sandbox: string },
  endpoint: string,
): SimulatedAppCredentials {
  return {
    id: 'default',
    apns: { ...apns, endpoints, ca },
    fcm: {
      projectId: serviceAccount.project_id,
      clientEmail: serviceAccount.client_email,
      privateKey: serviceAccount.private_key,
      endpoint,
      ca,
    },
  }
}
