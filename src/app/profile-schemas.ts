import { z } from 'zod'
import { FOLLOW_ME_STRATEGIES, type FollowMeDestination } from '../devices/extension.ts'
import { rfc3339 } from '../lib/rfc3339.ts'
import type { Profile } from './profile-store.ts'

/** Longer than any number; a SIP address fits as well. */
const DestinationNumber = z
  .string()
  .min(1, 'a number must not be empty')
  .max(128, 'a number exceeds maximum length')
  .refine((value) => !value.includes('\0'), 'a number contains invalid characters')

const seconds = (least: number) => {
  const sentence = `must be from ${least} to 300 seconds`
  return z.int().min(least, sentence).max(300, sentence)
}
/** What FlowPBX gives a number of which it knows no more. */
const RINGS_SECONDS = 20
const MOST_NUMBERS = 20
const tooMany = `there can be at most ${MOST_NUMBERS} numbers`

export const Destination = z.strictObject({
  number: DestinationNumber,
  delay: seconds(0).default(0).describe('Seconds before it rings.'),
  timeout: seconds(1).default(RINGS_SECONDS).describe('Seconds that it rings.'),
})

export const MeBody = z
  .strictObject({
    dnd: z.boolean().optional(),
    follow_me_enabled: z.boolean().optional(),
    follow_me_numbers: z.array(DestinationNumber).max(MOST_NUMBERS, tooMany).optional(),
    follow_me_destinations: z.array(Destination).max(MOST_NUMBERS, tooMany).optional(),
    follow_me_strategy: z.enum(FOLLOW_ME_STRATEGIES).optional(),
    follow_me_confirm: z.boolean().optional(),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), {
    error: 'at least one field must be provided',
  })
  .refine((body) => !(body.follow_me_numbers && body.follow_me_destinations), {
    error: 'follow_me_numbers and follow_me_destinations exclude each other',
    path: ['follow_me_destinations'],
  })
  .meta({ id: 'AppProfileChange' })

export const Me = z
  .object({
    id: z.int(),
    extension: z.string(),
    name: z.string(),
    email: z.string(),
    dnd: z.boolean(),
    follow_me_enabled: z.boolean(),
    follow_me_numbers: z.array(z.string()),
    follow_me_destinations: z.array(Destination),
    follow_me_strategy: z.enum(FOLLOW_ME_STRATEGIES),
    follow_me_confirm: z.boolean(),
    updated_at: z.string(),
  })
  .meta({ id: 'AppProfile' })

/** FlowPBX's app takes `follow_me_numbers` for strings, so what belongs to each stands beside it. */
export const describeMe = (profile: Profile): z.input<typeof Me> => ({
  id: profile.id,
  extension: profile.extension,
  name: profile.name,
  email: profile.email,
  dnd: profile.dnd,
  follow_me_enabled: profile.followMeEnabled,
  follow_me_numbers: profile.followMeDestinations.map(({ number }) => number),
  follow_me_destinations: profile.followMeDestinations.map(({ number, delay, timeout }) => ({
    ...{ number, delay, timeout },
  })),
  follow_me_strategy: profile.followMeStrategy,
  follow_me_confirm: profile.followMeConfirm,
  updated_at: rfc3339(profile.updatedAt),
})

export const toDestinations = ({
  follow_me_numbers: numbers,
  follow_me_destinations: destinations,
}: z.output<typeof MeBody>): FollowMeDestination[] | undefined =>
  destinations ?? numbers?.map((number) => ({ number, delay: 0, timeout: RINGS_SECONDS }))
