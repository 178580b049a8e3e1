/**
 * Time to the first token of each turn of many conversations that take turns on a node with few slots. A conversation's
 * next turn should cost only its new tokens, although other conversations have used its slot since.
 *
 * `--against URL` asks a llama-server the same conversations, in turn with the node. Start it with the same model,
 * threads and number of slots, such as `-np 4 -c 8192 --cache-reuse 64`. `throughput/against.ts` says how to build it.
 */
import { parseArgs } from 'node:util'
import type { Client } from '@potluck/client'
import type { ChatMessage } from '@potluck/protocol'
import { resolveModel } from './model.ts'
import { residentBytes } from './process-usage.ts'
import { median, reportQuantiles, type BenchContext } from './report.ts'
import { events } from './throughput/against.ts'
import { serve } from './throughput/network.ts'
import { WORDS } from './throughput/prompts.ts'

const TURNS = 10
/** Words of the first message, as of an instruction with a document, and of each later one. */
const FIRST_WORDS = 512
const LATER_WORDS = 16
const ANSWER_TOKENS = 16
/**
 * Twice what a conversation needs: the client estimates the tokens of a prompt from its length, and can be too high.
 */
const CONTEXT_LENGTH = 2048

/** The answer of a server to the messages of one conversation. */
interface Answered {
  text: string
  firstTokenMs: number
  /** The share of the prompt that came from the cache; undefined if the server does not say it. */
  cachedShare?: number
}

interface Server {
  name: 'network' | 'against'
  answer: (messages: readonly ChatMessage[]) => Promise<Answered>
}

/** Times to the first token in milliseconds, by turn and conversation. */
type Times = number[][]

export async function run({ args, signal, report, note }: BenchContext): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: 'string', default: 'wide-crumb' },
      against: { type: 'string' },
      'against-pid': { type: 'string' },
      conversations: { type: 'string', default: '20' },
      slots: { type: 'string', default: '4' },
      'at-once': { type: 'string', default: '1' },
      threads: { type: 'string', default: '1' }
    }
  })
  const path = await resolveModel(values.model)
  const [slots, threads] = [Number(values.slots), Number(values.threads)]
  note('Starting a relay and a node.')
  const node = await serve({ path, slots, contextLength: CONTEXT_LENGTH, threads }, signal)
  try {
    const servers: Server[] = [overNetwork(node.client, signal)]
    const pids = new Map([['network', node.pid]])
    if (values.against !== undefined) servers.push(overHttp(values.against, signal))
    if (values['against-pid'] !== undefined) pids.set('against', Number(values['against-pid']))
    // The first answer of a process compiles code and reads the weights from the disk.
    for (const server of servers) await server.answer([{ role: 'user', content: words(99, 64) }])
    const counts = { conversations: Number(values.conversations), atOnce: Number(values['at-once']) }
    const measured = await converse(servers, counts, { signal, note })
    for (const [name, { times, cached }] of measured) {
      reportTimes(name, times, report)
      if (cached.length > 0)
        report({ case: name, metric: 'cached_of_later_prompts', value: median(cached), unit: '', n: cached.length })
    }
    for (const [name, pid] of pids) {
      const bytes = await residentBytes(pid)
      if (bytes !== undefined) report({ case: name, metric: 'memory', value: bytes / 2 ** 20, unit: 'MiB', n: 1 })
    }
    const ratios = ratiosOf(measured.get('network')!.times, measured.get('against')?.times)
    if (ratios !== undefined)
      report({
        case: 'network / against, later turns',
        metric: 'ratio',
        value: median(ratios),
        unit: '',
        n: ratios.length
      })
  } finally {
    await node.close()
  }
}

interface Measured {
  times: Times
  /** The share of each later prompt that came from the cache. */
  cached: number[]
}

/** In each turn, every conversation asks every server, so that a conversation comes back only after all others. */
async function converse(
  servers: readonly Server[],
  { conversations, atOnce }: { conversations: number; atOnce: number },
  { signal, note }: Pick<BenchContext, 'signal' | 'note'>
): Promise<Map<Server['name'], Measured>> {
  const measured = new Map(servers.map(({ name }) => [name, { times: [] as Times, cached: [] as number[] }]))
  const histories = new Map(
    servers.map(({ name }) => [name, Array.from({ length: conversations }, (): ChatMessage[] => [])])
  )
  for (let turn = 0; turn < TURNS; turn++) {
    note(`Turn ${turn + 1} of ${TURNS}.`)
    for (const { times } of measured.values()) times.push([])
    for (let first = 0; first < conversations; first += atOnce) {
      const group = Array.from({ length: Math.min(atOnce, conversations - first) }, (_, index) => first + index)
      const order = (turn + first / atOnce) % 2 === 0 ? servers : servers.toReversed()
      for (const { name, answer } of order) {
        signal.throwIfAborted()
        const { times, cached } = measured.get(name)!
        await Promise.all(
          group.map(async (conversation) => {
            const history = histories.get(name)![conversation]!
            const length = turn === 0 ? FIRST_WORDS : LATER_WORDS
            history.push({ role: 'user', content: words(conversation * TURNS + turn, length) })
            const { text, firstTokenMs, cachedShare } = await answer(history)
            history.push({ role: 'assistant', content: text })
            times[turn]![conversation] = firstTokenMs
            if (turn > 0 && cachedShare !== undefined) cached.push(cachedShare)
          })
        )
      }
    }
  }
  return measured
}

function overNetwork(client: Client, signal: AbortSignal): Server {
  return {
    name: 'network',
    answer: async (messages) => {
      const began = performance.now()
      let firstTokenMs: number | undefined
      const answer = client.chat({ messages, maxTokens: ANSWER_TOKENS, signal })
      for await (const part of answer) if (part.type === 'delta') firstTokenMs ??= performance.now() - began
      const { text, usage } = await answer.result()
      const cachedShare = usage.cachedTokens / usage.promptTokens
      return { text, firstTokenMs: present(firstTokenMs), cachedShare }
    }
  }
}

function overHttp(url: string, signal: AbortSignal): Server {
  return {
    name: 'against',
    answer: async (messages) => {
      const began = performance.now()
      const response = await fetch(new URL('/v1/chat/completions', url), {
        method: 'POST',
        signal,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages, max_tokens: ANSWER_TOKENS, stream: true, cache_prompt: true })
      })
      if (!response.ok || response.body === null)
        throw new Error(`${url} answered with HTTP status ${response.status}.`)
      let text = ''
      let firstTokenMs: number | undefined
      for await (const { choices } of events(response.body)) {
        const content = choices?.[0]?.delta?.content ?? ''
        if (content !== '') firstTokenMs ??= performance.now() - began
        text += content
      }
      return { text, firstTokenMs: present(firstTokenMs) }
    }
  }
}

function reportTimes(name: string, times: Times, report: BenchContext['report']): void {
  for (const [turn, samples] of times.entries())
    reportQuantiles(report, { case: `${name}, turn ${turn + 1}`, metric: 'ttft_ms', unit: 'ms' }, samples, [0.5, 0.95])
  const first = median(times[0]!)
  const later = times.slice(1).flat()
  const row = { case: `${name}, later turns / first turn`, metric: 'ttft', unit: 'of the first' }
  reportQuantiles(
    report,
    row,
    later.map((ms) => ms / first),
    [0.5, 0.95]
  )
}

/** The ratio for each later turn of each conversation: both servers had it at almost the same time. */
function ratiosOf(times: Times, others: Times | undefined): number[] | undefined {
  return others && times.slice(1).flatMap((turn, index) => turn.map((ms, place) => ms / others[index + 1]![place]!))
}

/** Text that no other seed begins with. */
function words(seed: number, count: number): string {
  return Array.from({ length: count }, (_, word) => WORDS[(seed + word * (1 + (seed % 11))) % WORDS.length]).join(' ')
}

function present(firstTokenMs: number | undefined): number {
  if (firstTokenMs === undefined) throw new Error('An answer has no token.')
  return firstTokenMs
}
