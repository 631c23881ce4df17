export const FOLLOW_ME_STRATEGIES = ['sequential', 'simultaneous'] as const

/** Where a call goes that nobody answers; times in seconds. */
export interface FollowMeDestination {
  number: string
  delay: number
  timeout: number
}

export interface Extension {
  id: number
  number: string
  name: string
  email: string
  dnd: boolean
  followMeEnabled: boolean
  followMeConfirm: boolean
  followMeStrategy: (typeof FOLLOW_ME_STRATEGIES)[number]
  followMeDestinations: readonly FollowMeDestination[]
  /** Without one nobody can log in with the app. */
  hasPassword: boolean
  createdAt: Date
  updatedAt: Date
}

/** What can be set; absent stays as it is. */
export interface ExtensionChange {
  name?: string | undefined
  email?: string | undefined
  dnd?: boolean | undefined
  followMeEnabled?: boolean | undefined
  followMeConfirm?: boolean | undefined
  followMeStrategy?: Extension['followMeStrategy'] | undefined
  followMeDestinations?: readonly FollowMeDestination[] | undefined
}
