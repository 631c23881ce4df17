import type { Request, Response } from 'express'
import type { AuthRequest } from './route.ts'

/** What is known of a request before its body. */
export const authRequest = ({ method, headers, query, ip }: Request, response: Response): AuthRequest => ({
  method,
  headers,
  query,
  address: ip ?? '',
  setHeader: (name, value) => void response.setHeader(name, value),
  body: undefined,
})
