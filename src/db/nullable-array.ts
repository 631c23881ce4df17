/** For a binding that becomes an array with NULLs in it: the driver knows them, Knex's types do not. */
export const nullableArray = (values: readonly (string | null | undefined)[]): string[] =>
  values.map((value) => value ?? null) as string[]
