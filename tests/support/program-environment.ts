/**
 * What a program of ours needs of the environment of the tests: where programs are, and a place for what Node has compiled, because
 * hundreds of them start in a run, and half of what a short one takes is reading its sources.
 */
export const programEnvironment = (): Record<string, string | undefined> => ({
  PATH: process.env.PATH,
  NODE_COMPILE_CACHE: process.env.WAKELINE_TEST_COMPILE_CACHE,
})
