/** Credentials of one app at the two vendors. */

/** Token-based APNs authentication: https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns */
export interface ApnsCredentials {
  /** PKCS#8 PEM of the .p8 file. */
  signingKey: string
  keyId: string
  teamId: string
  /** The app's bundle id; VoIP pushes go to the topic `<bundleId>.voip`. */
  bundleId: string
  /** `https://host:port` for each of Apple's two gateways. */
  endpoints: { production: string; sandbox: string }
  /** PEM of a certificate authority to trust besides the system's; only simulators need one. */
  ca?: string
}

/** https://firebase.google.com/docs/cloud-messaging/send/v1-api */
export interface FcmCredentials {
  projectId: string
  clientEmail: string
  /** PKCS#8 PEM of the service account. */
  privateKey: string
  /** `https://host:port` in place of fcm.googleapis.com and oauth2.googleapis.com; only simulators need one. */
  endpoint?: string
  ca?: string
}

/** One app: a bundle id and a Firebase project that belong together. */
export interface AppCredentials {
  id: string
  apns?: ApnsCredentials
  fcm?: FcmCredentials
}
