/**
 * What a dead node costs: answers whose serving process is killed (SIGKILL) or stopped (SIGSTOP) at a random token,
 * against the uninterrupted answer at the same seed. The gap is what the reader sees: from the last tokens of the
 * dead node to the first of the one that goes on, its prefill of the prompt and the answer so far included.
 */
import { createClient, type AnswerResult, type Client } from '@potluck/client'
import { startFleet, type Fleet, type Member } from '../../scripts/testnet/fleet.ts'
import { quantile, type BenchContext } from './report.ts'

const ANSWERS = 100
/** Long enough that the process dies in the middle, not after the last token has left. */
const ANSWER_TOKENS = 500
const LATEST_CUT = 300
const NODES = 3

const INPUT = {
  messages: [{ role: 'user' as const, content: 'Tell me a story about a fox.' }],
  maxTokens: ANSWER_TOKENS
}

/** How a node falls out, and how it comes back for the next answer. */
interface Blow {
  name: string
  strike: (node: Member) => void
  recover: (node: Member, fleet: Fleet) => Promise<void>
}

const spec = (name: string) => ({ name, role: 'node', crumb: 'Q8_0', slots: 2 }) as const

const KILL: Blow = {
  name: 'kill',
  strike: (node) => node.kill('SIGKILL'),
  recover: async (node, fleet) => void (await fleet.start(spec(node.name)))
}

const STALL: Blow = {
  name: 'stall',
  strike: (node) => node.kill('SIGSTOP'),
  recover: async (node) => node.kill('SIGCONT')
}

interface Outcome {
  /** The reader's wait, milliseconds; undefined where the node had sent everything before it died. */
  gapMs: number | undefined
  prefillMs: number
  changed: boolean
}

export async function run({ args, signal, report, note }: BenchContext): Promise<void> {
  const answers = Number(args[0] ?? ANSWERS)
  for (const blow of [KILL, STALL]) {
    note(`${answers} answers, each interrupted by a ${blow.name}.`)
    const fleet = await startFleet({
      nodes: Array.from({ length: NODES }, (_, index) => spec(`node-${index + 1}`)),
      signal
    })
    try {
      const outcomes: Outcome[] = []
      let failed = 0
      for (let index = 0; index < answers; index++) {
        signal.throwIfAborted()
        const outcome = await interrupted(fleet, blow, BigInt(index), signal)
        if (outcome === undefined) failed++
        else outcomes.push(outcome)
        if ((index + 1) % 10 === 0) note(`${index + 1} of ${answers}`)
      }
      const row = { case: blow.name, n: answers }
      report({ ...row, metric: 'failed_answers', value: failed, unit: 'answers' })
      report({
        ...row,
        metric: 'changed_answers',
        value: outcomes.filter(({ changed }) => changed).length,
        unit: 'answers'
      })
      const gaps = outcomes.flatMap(({ gapMs }) => gapMs ?? [])
      const prefills = outcomes.map(({ prefillMs }) => prefillMs)
      const timed = { case: blow.name, unit: 'ms', n: gaps.length }
      report({ ...timed, metric: 'gap_ms_p50', value: quantile(gaps, 0.5) })
      report({ ...timed, metric: 'gap_ms_p95', value: quantile(gaps, 0.95) })
      report({ ...timed, metric: 'prefill_ms_p50', value: quantile(prefills, 0.5) })
    } finally {
      await fleet.stop()
    }
  }
}

/** One answer, twice: whole, and with its node falling out. A fresh client each, which knows nothing of earlier ones. */
async function interrupted(fleet: Fleet, blow: Blow, seed: bigint, signal: AbortSignal): Promise<Outcome | undefined> {
  const client = await createClient({ bootstrap: fleet.relay.addresses, scope: 'local', mdns: false, signal })
  try {
    const ask = { ...INPUT, seed, temperature: 1, logitBias: new Map([[await endOfTurn(client), -100]]), signal }
    const whole = await client.chat(ask).result()
    const cut = 1 + Math.floor(Math.random() * LATEST_CUT)
    const { result, gapMs, struck } = await strikeAt(client.chat(ask), cut, (peer) => {
      const node = fleet.nodes.findLast(({ peerId }) => peerId === peer)
      if (node === undefined) throw new Error('the answer came from outside the fleet')
      blow.strike(node)
      return node
    })
    if (struck !== undefined) await blow.recover(struck, fleet)
    if (result === undefined) return undefined
    const changed = result.text !== whole.text || result.tokens.join() !== whole.tokens.join()
    return { gapMs, prefillMs: result.metadata.timings.prefillMs, changed }
  } finally {
    await client.stop()
  }
}

/** Without the end-of-turn token the model goes on to the limit. */
async function endOfTurn(client: Client): Promise<number> {
  const { tokens } = await client.chat({ ...INPUT, seed: 0n, temperature: 0 }).result()
  const last = tokens.at(-1)
  if (last === undefined) throw new Error('the model said nothing')
  return last
}

async function strikeAt(
  answer: ReturnType<Client['chat']>,
  cut: number,
  strike: (peer: string) => Member
): Promise<{ result: AnswerResult | undefined; gapMs: number | undefined; struck: Member | undefined }> {
  let peer = ''
  let tokens = 0
  let lastAt = 0
  let struck: Member | undefined
  let gapMs: number | undefined
  try {
    for await (const part of answer) {
      if (part.type === 'accepted') peer = part.peerId
      if (part.type !== 'delta') continue
      const now = performance.now()
      if (struck !== undefined && gapMs === undefined && peer !== struck.peerId) gapMs = now - lastAt
      lastAt = now
      tokens += part.tokens.length
      if (struck === undefined && tokens >= cut) struck = strike(peer)
    }
    return { result: await answer.result(), gapMs, struck }
  } catch {
    return { result: undefined, gapMs, struck }
  }
}
