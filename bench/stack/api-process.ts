import { type NodeProcess, startNodeProcess } from './node-process.ts'

export interface ApiProcess extends NodeProcess {
  port: number
}

/** An API on a free port. */
export async function startApi(options: {
  env: Record<string, string>
  log: string
  nodeOptions?: readonly string[]
}): Promise<ApiProcess> {
  const api = await startNodeProcess({ ...options, command: ['src/bin/api.ts'], ready: 'api is ready' })
  return { ...api, port: Number(/"url":"[^"]*:(\d+)"/.exec(await api.output())?.[1]) }
}
