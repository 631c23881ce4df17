import { randomBytes } from 'node:crypto'

/** Tokens that look like the vendors' own and belong to no real phone. */
export const simulatedToken = (platform: 'apns' | 'fcm'): string =>
  platform === 'apns'
    ? randomBytes(32).toString('hex')
    : `${randomBytes(16).toString('base64url')}:APA91b${randomBytes(90).toString('base64url')}`
