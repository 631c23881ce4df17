import type { IncomingMessage } from 'node:http'

/** The body of a request. @param maxBytes More than these are refused, after they have been read and thrown away. */
export async function readText(
  request: IncomingMessage,
  maxBytes: number,
): Promise<{ text: string } | 'too large' | 'broken'> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size <= maxBytes) chunks.push(chunk)
    }
  } catch {
    return 'broken'
  }
  return size > maxBytes ? 'too large' : { text: Buffer.concat(chunks).toString() }
}
