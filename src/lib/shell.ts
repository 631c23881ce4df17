/** Opens what a command needs, and closes it afterwards. */
export type WithDeps<Deps> = (work: (deps: Deps) => Promise<void>) => Promise<void>

/** To standard output, for people and for `jq`. */
export const printJson = (value: object): void => console.log(JSON.stringify(value, null, 2))
