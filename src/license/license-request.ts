import type { AuthRequest } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'

/** Ours have 44; those of other gateways that are imported may have any number. */
export const MAX_KEY_LENGTH = 256

export type KeySource = (request: AuthRequest) => string

/** The key, if the request brings one that can be read. */
export function keyIn(keyOf: KeySource, request: AuthRequest): string | undefined {
  try {
    return keyOf(request)
  } catch {
    return undefined // why not, the route itself says
  }
}

/** From the body, or else from `X-License-Key`. */
export const keyInBody: KeySource = ({ headers, body }) => {
  const inBody = (body as { license_key?: unknown } | null | undefined)?.license_key
  // A key that is no string is a fault of the body, which the schema reports.
  if (typeof inBody === 'string' && inBody !== '') return inBody
  const inHeader = headerKey(headers)
  if (inHeader !== undefined) return inHeader
  if ((inBody ?? undefined) !== undefined && typeof inBody !== 'string')
    throw new Problem('invalid_request', { field: 'license_key' })
  throw new Problem('license_key_required', { field: 'license_key' })
}

/** From `X-License-Key`, or else from the query. */
export const keyInQuery: KeySource = ({ headers, query }) => {
  const inHeader = headerKey(headers)
  if (inHeader !== undefined) return inHeader
  const inQuery = (query as { license_key?: unknown } | undefined)?.license_key
  if (typeof inQuery === 'string' && inQuery !== '') return inQuery
  throw new Problem('license_key_required', {
    sentence: 'license key is required (X-License-Key header or license_key query param)',
    field: 'license_key',
  })
}

function headerKey(headers: AuthRequest['headers']): string | undefined {
  const key = headers['x-license-key']
  if (typeof key !== 'string' || key === '') return undefined
  if (key.length <= MAX_KEY_LENGTH) return key
  throw new Problem('invalid_request', {
    sentence: `X-License-Key must have at most ${MAX_KEY_LENGTH} characters`,
    field: 'X-License-Key',
  })
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Which installation says this, if it says so: `X-Instance-Id`. */
export function instanceIdOf(headers: AuthRequest['headers']): string | undefined {
  const value = headers['x-instance-id']
  if (value === undefined || value === '') return undefined
  const id = String(value).toLowerCase()
  if (UUID.test(id)) return id
  throw new Problem('invalid_request', {
    sentence: 'X-Instance-Id must be the instance_id of an activation, a UUID',
    field: 'X-Instance-Id',
  })
}
