import type { RequestHandler } from 'express'
import { refuseOtherSites } from '../http/cross-origin.ts'

/** For pages, the login included: there is no session yet that an authentication could look at. */
export const refuseCrossOrigin: RequestHandler = (request, _response, next) => {
  refuseOtherSites(request)
  next()
}
