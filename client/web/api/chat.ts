/** One answer of `/v1/chat/completions`, streamed. */
import { request, RequestError } from './http.ts'
import { BROKEN, readEvents } from './sse.ts'

export interface ChatTurn {
  role: 'user' | 'assistant'
  content: string
}

/** What the gateway reports about a complete answer. */
export interface AnswerReport {
  node: string
  route: 'direct' | 'relayed'
  ttftMs: number
  tokensPerSecond: number
  tokens: number
  failovers: number
}

export type ChatPart =
  | { type: 'accepted'; id: string; model: string; node: string | null }
  | { type: 'text'; text: string; reasoning: string }
  | { type: 'finish'; reason: string }
  | { type: 'report'; report: AnswerReport }

interface Chunk {
  id: string
  model: string
  choices: { delta: { content?: string | null; reasoning_content?: string }; finish_reason: string | null }[]
  usage?: {
    completion_tokens: number
    potluck: {
      node: string
      route: 'direct' | 'relayed'
      ttft_ms: number
      tokens_per_second: number
      failovers: number
    }
  } | null
  error?: { message: string }
}

/** @throws RequestError if the answer does not begin, fails, or ends without its last event */
export async function* streamChat(model: string, messages: ChatTurn[], abort: AbortSignal): AsyncGenerator<ChatPart> {
  const response = await request('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages, stream: true, stream_options: { include_usage: true } }),
    signal: abort
  })
  let accepted = false
  for await (const data of readEvents(response)) {
    if (data === '[DONE]') return
    const chunk = JSON.parse(data) as Chunk
    if (chunk.error !== undefined) throw new RequestError(response.status, chunk.error.message)
    if (!accepted) {
      accepted = true
      yield { type: 'accepted', id: chunk.id, model: chunk.model, node: response.headers.get('x-potluck-node') }
    }
    yield* partsOf(chunk)
  }
  throw new RequestError(response.status, BROKEN)
}

function* partsOf({ choices: [choice], usage }: Chunk): Generator<ChatPart> {
  if (choice !== undefined) {
    const { content, reasoning_content: reasoning = '' } = choice.delta
    const text = content ?? ''
    if (text !== '' || reasoning !== '') yield { type: 'text', text, reasoning }
    if (choice.finish_reason !== null) yield { type: 'finish', reason: choice.finish_reason }
  }
  if (usage === undefined || usage === null) return
  const { node, route, ttft_ms: ttftMs, tokens_per_second: tokensPerSecond, failovers } = usage.potluck
  yield { type: 'report', report: { node, route, ttftMs, tokensPerSecond, tokens: usage.completion_tokens, failovers } }
}
