import { constants, getPriority, setPriority } from 'node:os'

/** From now on the programs beside this one on its host get the processor first. It stays lower where it was lower before. */
export function lowerPriority(): void {
  setPriority(Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL))
}
