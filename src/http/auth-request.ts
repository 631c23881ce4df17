import type { Request, Response } from 'express'
import type { AuthRequest, HandlerInput } from './route.ts'

type Known = AuthRequest & Pick<HandlerInput<unknown, unknown, unknown, unknown>, 'addHeader'>

/** What is known of a request before its body. */
export const authRequest = ({ method, headers, query, ip }: Request, response: Response): Known => ({
  method,
  headers,
  query,
  address: ip ?? '',
  setHeader: (name, value) => void response.setHeader(name, value),
  addHeader(name, value) {
    const before = response.getHeader(name)
    response.setHeader(name, before === undefined ? value : `${before}, ${value}`)
  },
  body: undefined,
})
