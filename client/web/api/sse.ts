/**
 * Reads server-sent events from a response. The browser's own EventSource cannot send a key and cannot send a request
 * with a body.
 */

import { RequestError } from './http.ts'

/** What a user is told if a stream ends in the middle. */
export const BROKEN = 'The connection broke before the answer was complete.'

/**
 * The data of each event. The gateway writes every event in one line of data.
 *
 * @throws RequestError if the connection breaks
 */
export async function* readEvents(response: Response): AsyncGenerator<string> {
  if (response.body === null) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(broken)
      if (done) return
      const lines = (rest + value).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line.startsWith('data: ')) yield line.slice('data: '.length)
    }
  } finally {
    // A broken stream has nothing to cancel, and says so.
    await reader.cancel().catch(() => undefined)
  }
}

function broken(error: unknown): never {
  if (error instanceof TypeError) throw new RequestError(0, BROKEN)
  throw error
}
