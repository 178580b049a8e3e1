/**
 * `against`: any OpenAI-compatible server that runs the same model, by its /v1/completions.
 *
 * A llama-server should have the engine's kernels. Build the release that node_modules/node-llama-cpp was built from
 * (llama/binariesGithubRelease.json), then link its objects with the shared libraries of @node-llama-cpp/linux-x64, and
 * lay that package's libggml-cpu-*.so beside it. Kernels built for the machine itself (GGML_NATIVE) decoded four streams
 * 12 % quicker than those, one stream 4 % slower. As many threads as the engine (-t, -tb), `-np 8 -c 3072`.
 */
import { DEFAULT_SAMPLING } from '@potluck/protocol'
import type { Contender, Prompt } from './contender.ts'

export function startAgainst(url: string): Contender {
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
        // llama-server's own names; other servers ignore them and may stop early, which is told below.
        top_k: topK,
        min_p: minP,
        ignore_eos: true,
        cache_prompt: false
      })
    })
    if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`)
    let count = 0
    for await (const chunk of events(response.body)) count = chunk.usage?.completion_tokens ?? count
    if (count !== tokens) throw new Error(`${url} gave ${count} tokens instead of ${tokens}`)
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
}

async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<Chunk> {
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
