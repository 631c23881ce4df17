import { MINUTE, SECOND } from '../../lib/units.ts'

const KIB = 1_024

/** What bounds the sockets of one process, and how often it looks at them. Tests wait less. */
export const REALTIME_SETTINGS = {
  /** Each takes some 20 kB. */
  mostSockets: 20_000,
  /** A person has fewer phones; zombies of a bad network count, too. */
  mostPerExtension: 20,
  /** Askers who have not shown yet who they are. A whole office behind one address comes back at once after a stop. */
  mostPendingPerAddress: 200,
  /** An answer to this has to come before the next but one. */
  heartbeatMs: 25 * SECOND,
  /** A client says from where on it wants to be told before it is told anything. */
  helloMs: SECOND,
  /** What a lost hint would have said is found this late. */
  checkEventsMs: 5 * SECOND,
  /** A session that has ended is out after 2 s; the question takes a moment, too. */
  checkSessionsMs: 1.5 * SECOND,
  /** A client is told this long before its token ends. */
  expiryNoticeMs: MINUTE,
  /** Beyond it the socket is sent no more events until the client has taken what there is. */
  pauseBytes: 256 * KIB,
  /** Beyond it the client does not take what it has asked for. */
  mostBytes: 1_024 * KIB,
  /** So is one that has taken nothing for so long. */
  stalledMs: 30 * SECOND,
  /** Who loses a network for a moment has not been away. */
  presenceDelayMs: SECOND,
  /** How often a node says of somebody that he is still there, and looks at those it was asked about. */
  presenceRefreshMs: 20 * SECOND,
}
export type RealtimeSettings = typeof REALTIME_SETTINGS
