/**
 * Reads server-sent events from a response. The browser's own EventSource cannot send a key and cannot send a request
 * with a body.
 */

/** The data of each event. The gateway writes every event in one line of data. */
export async function* readEvents(response: Response): AsyncGenerator<string> {
  if (response.body === null) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const lines = (rest + value).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line.startsWith('data: ')) yield line.slice('data: '.length)
    }
  } finally {
    await reader.cancel()
  }
}
