import type { AppCaller } from '../http/app-caller.ts'
import { selectBytes } from '../http/byte-range.ts'
import { type AuthScheme, type Reply, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { StoredFiles } from '../storage/stored-files.ts'
import { VoicemailId } from './voicemail-schemas.ts'
import type { VoicemailAudio, VoicemailStore } from './voicemail-store.ts'

export interface VoicemailAudioDeps {
  appAuth: AuthScheme<AppCaller>
  voicemail: Pick<VoicemailStore, 'audioOf'>
  files: Pick<StoredFiles, 'read'>
}

const EXTENSIONS: Record<string, string> = { 'audio/wav': 'wav', 'audio/ogg': 'ogg' }
const replies = [
  { status: 200, description: 'The recording.', contentType: 'audio/wav' },
  { status: 200, description: 'The recording.', contentType: 'audio/ogg' },
  { status: 206, description: 'The part of it that `Range` asks for.', contentType: 'audio/wav' },
  { status: 206, description: 'The part of it that `Range` asks for.', contentType: 'audio/ogg' },
  { status: 304, description: 'The client has it already.' },
] as const

/** A recording as players want it: in parts, and to go on with later. */
export const voicemailAudioRoute = ({ appAuth, voicemail, files }: VoicemailAudioDeps): Route =>
  route({
    method: 'get',
    path: '/api/v1/app/voicemail/{id}/audio',
    tag: 'App',
    summary: 'The recording of a voicemail message',
    description: 'As it was brought. One range of bytes at a time; of several, the whole is sent. Also HEAD.',
    auth: appAuth,
    params: VoicemailId,
    headers: {
      Range: 'Which bytes, as RFC 9110 section 14.2 has it.',
      'If-Range': 'The `ETag` or `Last-Modified` of the version that the range belongs to.',
      'If-None-Match': 'The `ETag` of a version that is there already.',
    },
    replies,
    problems: [
      'unauthorized',
      'rate_limited',
      'unknown_voicemail',
      'range_not_satisfiable',
      'audio_missing',
      'storage_unavailable',
      'store_unavailable',
    ],
    async handler({ params: { id }, caller, method, headers, setHeader }) {
      const audio = await orStoreAway(voicemail.audioOf(caller, id))
      if (!audio) throw new Problem('unknown_voicemail')
      const { size, etag, lastModified } = versionOf(audio)
      const chosen = selectBytes(method, headers, { size, etag, lastModified })
      if (chosen.status === 416) {
        setHeader('Content-Range', `bytes */${size}`)
        throw new Problem('range_not_satisfiable')
      }
      const version = { ETag: etag, 'Last-Modified': lastModified.toUTCString(), ...FOR_THE_OWNER }
      if (chosen.status === 304) return { status: 304, headers: version, bytes: null }
      const range = chosen.status === 206 ? { start: chosen.start, end: chosen.end } : undefined
      // Opened also for HEAD, which tells what GET would.
      const bytes = await files.read(audio.fileKey, range)
      if (method === 'HEAD') bytes.destroy()
      return {
        status: chosen.status,
        headers: { ...version, ...describeContent(id, audio, range) },
        bytes: method === 'HEAD' ? null : bytes,
      } satisfies Reply
    },
  })

/** Nobody between us and the owner keeps it. */
const FOR_THE_OWNER = { 'Cache-Control': 'private, no-store' }

function versionOf({ sizeBytes, sha256, createdAt }: VoicemailAudio) {
  const lastModified = new Date(createdAt)
  lastModified.setUTCMilliseconds(0)
  return { size: sizeBytes, etag: `"${sha256}"`, lastModified }
}

function describeContent(
  id: number,
  { mediaType, sizeBytes }: VoicemailAudio,
  range: { start: number; end: number } | undefined,
): Record<string, string> {
  return {
    'Content-Type': mediaType,
    'Content-Disposition': `inline; filename="voicemail_${id}.${EXTENSIONS[mediaType]}"`,
    'Accept-Ranges': 'bytes',
    'Content-Length': String(range ? range.end - range.start + 1 : sizeBytes),
    ...(range && { 'Content-Range': `bytes ${range.start}-${range.end}/${sizeBytes}` }),
  }
}
