/**
 * Reads server-sent events from a response. The browser's own EventSource cannot send a key and cannot send a request
 * with a body.
 */
import { RequestError } from './http.ts'

/** The message for the user if a stream ends in the middle. */
export const BROKEN = 'The connection broke before the answer was complete.'

/**
 * Yields the data of each event. The gateway writes the data of an event in one line.
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
    // `cancel` rejects if the connection broke. Nothing is left to cancel then.
    await reader.cancel().catch(() => undefined)
  }
}

function broken(error: unknown): never {
  if (error instanceof TypeError) throw new RequestError(0, BROKEN)
  throw error
}
