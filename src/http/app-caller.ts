/** Who is logged in with the app: an extension, in one session. Every query of the app API is scoped by this. */
export interface AppCaller {
  tenantId: string
  extensionId: number
  /** Its number. */
  extension: string
  sessionId: string
  /** The device that logged in, when the app said so. */
  deviceKey?: string
}

/** With the moment at which the token ends that he has shown. */
export interface AppTokenHolder extends AppCaller {
  tokenExpiresAt: Date
}
