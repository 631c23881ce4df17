/** Who sends pushes in the bench of the push log. */
export const TENANTS = 2_000
/** A hundred each. */
export const EXTENSIONS = 200_000
/** Five phones, one after the other, of each extension. */
export const TOKENS = 1_000_000
export const TOKENS_EACH = TOKENS / EXTENSIONS

/** The ids of tenants and licences by their number, as `fill.ts` makes them. */
export const tenantId = (n: number): string => `00000000-0000-8000-a000-${String(n).padStart(12, '0')}`
export const licenseId = (n: number): string => `00000000-0000-8000-b000-${String(n).padStart(12, '0')}`
/** What a token's number is hashed from. */
export const tokenSeed = (extension: number, phone: number): string => String(extension * TOKENS_EACH + phone)

/** Some extensions get far more calls than others: the busiest tenant of 2,000 has one row in 45. */
export const anyExtension = (): number => Math.floor(EXTENSIONS * Math.random() ** 2)
