/**
 * What a dead node costs: answers whose serving process is killed (SIGKILL) or stopped (SIGSTOP) at a random token,
 * against the uninterrupted answer at the same seed. The gap is what the reader sees: from the last tokens of the
 * dead node to the first of the one that goes on, its prefill of the prompt and the answer so far included.
 */
import { createClient } from '@potluck/client'
import { startFleet, type Fleet, type Member } from '../../scripts/testnet/fleet.ts'
import { endless, isSameAnswer, strikeAt } from '../../scripts/testnet/kill/strike.ts'
import { quantile, type BenchContext } from './report.ts'

const ANSWERS = 100
/** Long enough that the process dies in the middle, not after the last token has left. */
const ANSWER_TOKENS = 500
const LATEST_CUT = 300
const NODES = 3
const PROGRESS_ANSWERS = 10

const INPUT = {
  messages: [{ role: 'user' as const, content: 'Tell me a story about a fox.' }],
  maxTokens: ANSWER_TOKENS
}

/**
 * How a node falls out, and how it comes back for the next answer. A killed one does so under another key: the DHT fills
 * with records of the dead, through which each new client has to find the living.
 */
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
  const blows = [KILL, STALL].filter(({ name }) => args[1] === undefined || args[1] === name)
  if (!Number.isInteger(answers) || answers < 1 || blows.length === 0) {
    throw new Error('Usage: failover [ANSWERS] [kill|stall]')
  }
  for (const blow of blows) {
    note(`${answers} answers, each interrupted by a ${blow.name}.`)
    const outcomes: Outcome[] = []
    let failed = 0
    const fleet = await startFleet({
      nodes: Array.from({ length: NODES }, (_, index) => spec(`node-${index + 1}`)),
      signal
    })
    try {
      for (let index = 0; index < answers; index++) {
        signal.throwIfAborted()
        const outcome = await interrupted(fleet, blow, BigInt(index), signal)
        if (outcome === undefined) failed++
        else outcomes.push(outcome)
        if ((index + 1) % PROGRESS_ANSWERS === 0) note(`${index + 1} of ${answers}`)
      }
    } finally {
      await fleet.stop()
    }
    const row = { case: blow.name, n: answers }
    report({ ...row, metric: 'failed_answers', value: failed, unit: 'answers' })
    const changed = outcomes.filter((outcome) => outcome.changed).length
    report({ ...row, metric: 'changed_answers', value: changed, unit: 'answers' })
    const gaps = outcomes.flatMap(({ gapMs }) => gapMs ?? [])
    const prefills = outcomes.map(({ prefillMs }) => prefillMs)
    const timed = { case: blow.name, unit: 'ms', n: gaps.length }
    report({ ...timed, metric: 'gap_ms_p50', value: quantile(gaps, 0.5) })
    report({ ...timed, metric: 'gap_ms_p95', value: quantile(gaps, 0.95) })
    report({ ...timed, metric: 'prefill_ms_p50', value: quantile(prefills, 0.5) })
  }
}

/** One answer, twice: whole, and with its node falling out. A fresh client each, which knows nothing of earlier ones. */
async function interrupted(fleet: Fleet, blow: Blow, seed: bigint, signal: AbortSignal): Promise<Outcome | undefined> {
  const client = await createClient({ bootstrap: fleet.relay.addresses, scope: 'local', mdns: false, signal })
  try {
    const ask = { ...(await endless(client, INPUT)), seed, temperature: 1, signal }
    const whole = await client.chat(ask).result()
    const cut = 1 + Math.floor(Math.random() * LATEST_CUT)
    const { result, gapMs, struck } = await strikeAt(client.chat(ask), { fleet, cut, strike: blow.strike })
    if (struck !== undefined) await blow.recover(struck, fleet)
    if (result === undefined) return undefined
    return { gapMs, prefillMs: result.metadata.timings.prefillMs, changed: !isSameAnswer(result, whole) }
  } finally {
    await client.stop()
  }
}
