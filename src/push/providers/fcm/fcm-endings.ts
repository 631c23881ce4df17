import { type Verdict, verdicts } from '../verdict.ts'

const { retry, hold, renewProviderToken, alarm, fail } = verdicts

/**
 * How a try ends without an answer of FCM's that can be read. `hold` where the message may have arrived, `retry` where it has not
 * left.
 */
export const FCM_ENDINGS = {
  no_answer: { ...hold, detail: 'FCM took the message and did not answer in time.' },
  connection_lost: { ...hold, detail: 'The connection to FCM broke before the answer.' },
  unreadable_answer: { ...hold, detail: 'Google gave an answer that cannot be read.' },
  connection_failed: { ...retry, detail: 'FCM cannot be reached.' },
  not_sent_in_time: { ...retry, detail: 'The message could not be handed to FCM in time.' },
  shutting_down: { ...retry, detail: 'This node is shutting down.' },
  no_access_token: { ...retry, detail: 'No access token could be fetched from Google.' },
  access_token_renewed: {
    ...renewProviderToken,
    detail: 'Google refused the access token; a new one is fetched.',
  },
  service_account_refused: { ...alarm, detail: 'Google refused the service account.' },
  invalid_message: { ...fail, detail: 'The message was not sent: it is malformed.' },
} as const satisfies Record<string, Verdict & { detail: string }>
export type FcmEnding = keyof typeof FCM_ENDINGS
