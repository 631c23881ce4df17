/** A name or an address, without a port; names are the same in any case (RFC 4343). */
export const HOST_NAME = /^([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])$/i
