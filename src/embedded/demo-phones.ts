interface DemoPhone {
  extension: string
  platform: 'apns' | 'fcm'
  name: string
  /** What it does when it is called, for a person. */
  does: string
  /** Milliseconds between the push and the registration; absent: its token is dead. */
  registersAfterMs?: number | 'never'
}

/** One of each kind that a PBX meets. */
export const DEMO_PHONES: readonly DemoPhone[] = [
  {
    extension: '1001',
    platform: 'apns',
    name: 'iPhone',
    does: 'wakes and registers after 400 ms',
    registersAfterMs: 400,
  },
  {
    extension: '1002',
    platform: 'apns',
    name: 'iPhone',
    does: 'rings and never registers',
    registersAfterMs: 'never',
  },
  { extension: '1003', platform: 'fcm', name: 'Android', does: 'was wiped: its push token is dead' },
  {
    extension: '1004',
    platform: 'fcm',
    name: 'Android',
    does: 'registers the moment the push arrives',
    registersAfterMs: 0,
  },
]
