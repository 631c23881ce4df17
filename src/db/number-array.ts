/**
 * An array of whole numbers as PostgreSQL writes it. The driver would turn each number into quoted text of its own, which for lists of
 * thousands takes longer than sending them.
 */
export const numberArray = (values: readonly number[]): string => `{${values.join(',')}}`
