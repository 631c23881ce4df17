/** Whose calls are in the bench of the history: of a thousand extensions each. */
export const TENANTS = 20
export const EXTENSIONS = 1_000
/** The extension of the first tenant that is in very many calls, such as a reception. */
export const BUSY = 'reception'
export const BUSY_CALLS = 100_000

/** The id of a tenant by its number, as `fill.ts` makes it. */
export const tenantId = (n: number): string => `00000000-0000-8000-c000-${String(n).padStart(12, '0')}`
export const anyTenant = (): string => tenantId(Math.floor(Math.random() * TENANTS))
/** Some are in far more calls than others: the most in some 30 times as many as the middle one. */
export const anyExtension = (): string => String(100 + Math.floor(EXTENSIONS * Math.random() ** 2))
