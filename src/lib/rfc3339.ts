/** `2026-02-19T10:00:00Z` (RFC 3339): seconds, as FlowPBX gives them. */
export const rfc3339 = (time: Date): string => time.toISOString().replace(/\.\d{3}Z$/, 'Z')
