/** The only reader of process.env; `config.ts` judges what it found. */
export type Env = Readonly<Record<string, string | undefined>>

export const readEnv = (): Env => ({ ...process.env })
