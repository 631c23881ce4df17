import type { RequestHandler } from 'express'
import helmet from 'helmet'

/** Where a page may take things from; what is not named may come from nowhere. */
export interface PageSources {
  scriptSrc?: string[]
  styleSrc?: string[]
  imgSrc?: string[]
  fontSrc?: string[]
  connectSrc?: string[]
  baseUri?: string[]
  formAction?: string[]
}

/** The headers of a page of ours: nothing from elsewhere, in nobody's frame (https://www.w3.org/TR/CSP3/). */
export const pageHeaders = (sources: PageSources): RequestHandler =>
  helmet({
    // With `no-referrer` browsers send `Origin: null` with a form of our own.
    referrerPolicy: { policy: 'same-origin' },
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        ...sources,
        // These three do not fall back to `default-src`.
        baseUri: sources.baseUri ?? ["'none'"],
        formAction: sources.formAction ?? ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
  })
