/** Every environment variable there is: the README's table is made from this list, and `config.ts` reads no other. */
export const VARIABLES = {
  DATABASE_URL: {
    meaning: 'PostgreSQL 13 or newer. Absent: a PostgreSQL of its own in `DATA_DIR` (`npm start` only).',
  },
  REDIS_URL: {
    meaning:
      'Redis 6.2 or newer for queue and signals, with `maxmemory-policy noeviction`. Absent: PostgreSQL does it.',
  },
  DATABASE_URL_FILE: { meaning: 'A file with that URL instead, as containers hand over secrets.' },
  REDIS_URL_FILE: { meaning: 'A file with that URL instead.' },
  WAKELINE_SECRET: {
    meaning: '64 hex digits; all keys at rest derive from it. `npm start` makes one at first start.',
    secret: true,
  },
  WAKELINE_SECRET_FILE: { meaning: 'A file with that secret instead.' },
  APP_JWT_SECRET: {
    meaning:
      '64 hex digits that sign the tokens of the app, as FlowPBX has them. Absent: derived from the secret.',
    secret: true,
  },
  APP_JWT_SECRET_PREVIOUS: {
    meaning: 'The one before; tokens that it signed are good until they end.',
    secret: true,
  },
  DATA_DIR: { meaning: 'Where `npm start` keeps its database and secrets.', default: './data' },
  HOST: { meaning: 'Address of the API.', default: '127.0.0.1' },
  PORT: { meaning: 'Port of the API.', default: '8080' },
  METRICS_HOST: { meaning: 'Address of `/metrics`; keep it private.', default: '127.0.0.1' },
  METRICS_PORT: { meaning: 'Port of `/metrics`; 0 for any free one.', default: '9090' },
  TRUST_PROXY_HOPS: { meaning: 'Number of reverse proxies in front.', default: '0' },
  LOG_LEVEL: { meaning: '`fatal`, `error`, `warn`, `info`, `debug` or `silent`.', default: 'info' },
  QUEUE_PREFIX: { meaning: 'Name space of queues, keys and channels.', default: 'wakeline' },
  WORKER_CONCURRENCY: { meaning: 'Calls a worker process sends at the same time.', default: '256' },
  HOLD_SECONDS: { meaning: 'How long a call is held when the PBX does not say.', default: '5' },
  PUSH_TTL_SECONDS: { meaning: 'How long a push for a call is worth sending, without `ttl`.', default: '30' },
  PUSH_PRIVACY: {
    meaning:
      'What Apple and Google may read of a push that does not say: `full`, `sender` (who, not what) or `wake` (only that there is something).',
    default: 'full',
  },
  PUSH_LOG_DAYS: {
    meaning: 'Days that the push log is kept; then a day is dropped at a time.',
    default: '30',
  },
  VOICEMAIL_DIR: {
    meaning:
      'Where recordings are kept; all nodes of a cluster must see it. Absent: `voicemail` in `DATA_DIR`, or the bucket below.',
  },
  VOICEMAIL_QUOTA_MB: { meaning: 'How much of them a tenant may keep, in MB.', default: '1024' },
  VOICEMAIL_S3_BUCKET: { meaning: 'A bucket at Amazon S3, or at what speaks like it, for recordings.' },
  VOICEMAIL_S3_ENDPOINT: { meaning: 'Where the bucket is, if not at Amazon: `https://minio.example:9000`.' },
  VOICEMAIL_S3_REGION: { meaning: 'The region of the bucket.', default: 'us-east-1' },
  VOICEMAIL_S3_ACCESS_KEY_ID: { meaning: 'The access key for the bucket.' },
  VOICEMAIL_S3_SECRET_ACCESS_KEY: { meaning: 'Its secret.', secret: true },
  VOICEMAIL_S3_SECRET_ACCESS_KEY_FILE: { meaning: 'A file with that secret instead.' },
  SHARED_APP_HOSTS: {
    meaning:
      'Names under which the apps of several tenants ask: `push.example.com,gw.example.com`. No PBX can take one as its `app_host` or SIP domain.',
  },
  LICENSE_GRACE_DAYS: {
    meaning:
      'How long pushes go on after a licence ended, and while the licences cannot be read; then 15 minutes at least.',
    default: '7',
  },
  LICENSE_SIGNING_KEY_FILE: {
    meaning:
      'An Ed25519 key (PKCS#8 in PEM) that signs licence files and answers. Absent: one that derives from the secret.',
  },
  INSTALLATION_DAYS: {
    meaning: 'An installation that was not seen for so long gives its seat back.',
    default: '30',
  },
  RATE_LIMITS: {
    meaning: '`on`, or `off` where something in front of Wakeline sees to it.',
    default: 'on',
  },
  APP_REQUESTS_PER_SECOND: {
    meaning:
      'Requests of the app from one address, and twice as many at once; more where many phones have one.',
    default: '20',
  },
  DRAIN_SECONDS: { meaning: 'How long a stop waits for work in hand.', default: '15' },
  APP_ID: { meaning: 'Name of the app the credentials below belong to.', default: 'default' },
  APNS_KEY_FILE: { meaning: 'The .p8 key of Apple.' },
  APNS_KEY_ID: { meaning: 'Its key id, 10 characters.' },
  APNS_TEAM_ID: { meaning: 'The team id, 10 characters.' },
  APNS_BUNDLE_ID: { meaning: 'The bundle id of the app; VoIP pushes go to `<bundle id>.voip`.' },
  APNS_ENDPOINT: { meaning: 'APNs for production tokens.', default: 'https://api.push.apple.com:443' },
  APNS_SANDBOX_ENDPOINT: {
    meaning: 'APNs for sandbox tokens.',
    default: 'https://api.sandbox.push.apple.com:443',
  },
  FCM_CREDENTIALS_FILE: { meaning: 'The service account JSON of Firebase.' },
  FCM_ENDPOINT: { meaning: 'In place of Google; only for simulators.' },
  PROVIDER_CA_FILE: { meaning: 'A certificate authority to trust for providers; only for simulators.' },
  WEBHOOK_PRIVATE_NETWORKS: {
    meaning:
      'Private networks that webhooks may reach, also by `http:` and on any port: `10.0.0.0/8,192.168.7.0/24`. None if absent.',
  },
  SIMULATORS: {
    meaning: '`auto`: simulate the providers when no credentials are set (`npm start` only); `off`: never.',
    default: 'auto',
  },
} as const satisfies Record<string, { meaning: string; default?: string; secret?: true }>

export type VariableName = keyof typeof VARIABLES
