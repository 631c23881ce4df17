import type { History, Violation } from './history.ts'
import type { Story } from './stories.ts'

/** Finds what contradicts one statement; each finding is a line for people. */
export type Equation = (history: History, stories: readonly Story[]) => string[]

const EXAMPLES = 3

/** Checks statements that hold for every history, whatever was done to the system. */
export function violationsOf(
  equations: Readonly<Record<string, Equation>>,
  history: History,
  stories: readonly Story[],
): Violation[] {
  return Object.entries(equations).flatMap(([equation, find]) => {
    const found = find(history, stories)
    return found.length === 0 ? [] : [{ equation, count: found.length, examples: found.slice(0, EXAMPLES) }]
  })
}

/** Finds the stories of which something is wrong, and says what. */
export const eachStory =
  (wrong: (story: Story, history: History) => string | undefined): Equation =>
  (history, stories) =>
    stories.flatMap((story) => {
      const what = wrong(story, history)
      return what === undefined ? [] : [`${story.item.subject} (${story.item.mode}): ${what}`]
    })
