import { type Verdict, verdicts } from '../verdict.ts'

const { retry, hold } = verdicts

/**
 * How a try ends without an answer that can be read. `hold` where the push may have arrived: a call that is sent again could ring
 * twice. `retry` where Apple provably has not processed it.
 */
export const APNS_ENDINGS = {
  no_answer: { ...hold, detail: 'Apple took the push and did not answer in time.' },
  deadline: { ...hold, detail: 'Apple had not answered when the time for the push was over.' },
  connection_lost: { ...hold, detail: 'The connection to Apple broke before the answer.' },
  unreadable_answer: { ...hold, detail: 'Apple gave an answer that cannot be read.' },
  connect_timeout: { ...retry, detail: "The connection to Apple's gateway took too long." },
  connection_failed: { ...retry, detail: "Apple's gateway cannot be reached." },
  connection_closed: { ...retry, detail: 'The connection to Apple was closed.' },
  stream_refused: { ...retry, detail: 'Apple closed the connection before it looked at the push.' },
  not_sent_in_time: { ...retry, detail: 'The time for the push was over before it was sent.' },
  shutting_down: { ...retry, detail: 'This node is shutting down.' },
} as const satisfies Record<string, Verdict & { detail: string }>
export type ApnsEnding = keyof typeof APNS_ENDINGS
