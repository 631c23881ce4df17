import type { Push } from './push.ts'
import type { SkipReason } from './push-result.ts'

/**
 * What has become of the subject of a push by the time it would be sent: the push as it is to be sent now, or why nobody needs it any
 * more. Rejects when that cannot be found out; then the push is looked at again.
 */
export type Recheck = (push: Push) => Promise<{ send: Push } | { skip: SkipReason }>
