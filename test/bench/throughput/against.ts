/**
 * `against`: any OpenAI-compatible server that runs the same model, through its /v1/completions.
 *
 * For a fair comparison, a llama-server must use the same kernels as the engine:
 * 1. Build the release that node_modules/node-llama-cpp was built from (see llama/binariesGithubRelease.json there).
 * 2. Link its objects with the shared libraries of @node-llama-cpp/linux-x64, and put that package's libggml-cpu-*.so
 *    beside the binary. Do not use kernels that are built for the machine itself (GGML_NATIVE): they decoded four
 *    streams 12 % faster, and one stream 4 % more slowly.
 * 3. Start it with as many threads as the engine (-t, -tb), and with `-np 8 -c 3072`.
 */
import { DEFAULT_SAMPLING } from '@potluck/protocol'
import type { Prompt, Target } from './target.ts'

export function startAgainst(url: string): Target {
  let runs = 0
  const answer = async (prompt: Prompt, tokens: number, signal: AbortSignal): Promise<void> => {
    const { temperature, topK, topP, minP } = DEFAULT_SAMPLING
    const response = await fetch(new URL('/v1/completions', url), {
      method: 'POST',
      signal,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        prompt: prompt.text,
        max_tokens: tokens,
        stream: true,
        stream_options: { include_usage: true },
        temperature,
        top_p: topP,
        seed: ++runs,
        // Options of llama-server only. Other servers ignore them and may stop early; the check below reports that.
        top_k: topK,
        min_p: minP,
        ignore_eos: true,
        cache_prompt: false
      })
    })
    if (!response.ok || response.body === null) throw new Error(`${url} answered with HTTP status ${response.status}.`)
    let count = 0
    for await (const chunk of events(response.body)) count = chunk.usage?.completion_tokens ?? count
    if (count !== tokens) throw new Error(`${url} gave ${count} tokens instead of ${tokens}.`)
  }
  return {
    name: 'against',
    run: async (prompts, tokens, signal) => {
      await Promise.all(prompts.map((prompt) => answer(prompt, tokens, signal)))
    },
    close: () => Promise.resolve()
  }
}

interface Chunk {
  usage?: { completion_tokens: number }
  /** Only of /v1/chat/completions. */
  choices?: readonly { delta?: { content?: string | null } }[]
}

/** Reads the events of an OpenAI-compatible stream. */
export async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<Chunk> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line.startsWith('data: {')) yield JSON.parse(line.slice('data: '.length)) as Chunk
    }
  }
}
