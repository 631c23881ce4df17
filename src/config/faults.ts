import { StartError } from '../lib/start-error.ts'
import type { Env } from './env.ts'
import { VARIABLES, type VariableName } from './variables.ts'

/** The environment does not describe a program that can run. Names the variables, never their content. */
export class ConfigError extends StartError {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(`The configuration has ${faults.length} fault(s):\n${faults.map((f) => `  - ${f}`).join('\n')}`)
    this.faults = faults
  }
}

/** Reads typed values and collects every fault, so that an operator mends all of them in one go. */
export function createReader(env: Env, readFile: (path: string) => string) {
  const faults: string[] = []
  const fault = (text: string): undefined => void faults.push(text)

  const text = (name: VariableName): string | undefined => {
    const spec: { meaning: string; default?: string } = VARIABLES[name]
    return env[name]?.trim() || spec.default
  }

  const integer = (name: VariableName, min: number, max: number): number => {
    const value = text(name) ?? ''
    const number = Number(value)
    if (/^\d+$/.test(value) && number >= min && number <= max) return number
    fault(`${name} must be a whole number from ${min} to ${max}`)
    return min
  }

  const choice = <T extends string>(name: VariableName, choices: readonly [T, ...T[]]): T => {
    const value = text(name)
    const found = choices.find((choice) => choice === value)
    if (!found) fault(`${name} must be one of ${choices.join(', ')}`)
    return found ?? choices[0]
  }

  const isUrl = (value: string, protocols: readonly string[]) =>
    URL.canParse(value) && protocols.includes(new URL(value).protocol)
  const url = (name: VariableName, protocols: readonly string[]): string | undefined => {
    const value = text(name)
    if (value === undefined || isUrl(value, protocols)) return value
    return fault(`${name} must be a URL starting with ${protocols.map((p) => `${p}//`).join(' or ')}`)
  }

  const pattern = (name: VariableName, expected: RegExp, description: string): string | undefined => {
    const value = text(name)
    if (value === undefined || expected.test(value)) return value
    return fault(`${name} must be ${description}`)
  }

  const file = (name: VariableName): string | undefined => {
    const path = text(name)
    if (path === undefined) return undefined
    try {
      return readFile(path)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
      return fault(`${name} names a file that cannot be read (${code})`)
    }
  }

  /** A URL with a password in it may come from a file, so that it does not stand in the environment. */
  const secretUrl = (
    name: 'DATABASE_URL' | 'REDIS_URL',
    protocols: readonly string[],
  ): string | undefined => {
    const fileName = `${name}_FILE` as const
    if (text(fileName) === undefined) return url(name, protocols)
    if (text(name) !== undefined) return fault(`${name} and ${fileName} exclude each other`)
    const value = file(fileName)?.trim()
    if (value === undefined || isUrl(value, protocols)) return value
    return fault(`${fileName} must hold a URL starting with ${protocols.map((p) => `${p}//`).join(' or ')}`)
  }

  return { faults, fault, secretUrl, text, integer, choice, url, pattern, file }
}
export type Reader = ReturnType<typeof createReader>
