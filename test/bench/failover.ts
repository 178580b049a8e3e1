/**
 * What happens when a node dies in the middle of an answer. The benchmark kills (SIGKILL) or stops (SIGSTOP) the node
 * at a random token, and compares the answer with the uninterrupted answer with the same seed. The gap is the time from
 * the last tokens of the first node to the first tokens of the node that continues. It includes the second node's
 * prefill of the prompt and the partial answer.
 */
import { createClient } from '@potluck/client'
import { startFleet, type Fleet, type Member } from '../../scripts/testnet/fleet.ts'
import { interruptAnswer, isSameAnswer, withoutEndOfTurn } from '../../scripts/testnet/kill/interrupt.ts'
import { reportQuantiles, type BenchContext } from './report.ts'

const ANSWERS = 100
/** Long enough that the node has not yet sent the last token when it is killed. */
const ANSWER_TOKENS = 500
const LATEST_INTERRUPTION = 300
const NODES = 3
const PROGRESS_ANSWERS = 10

const INPUT = {
  messages: [{ role: 'user' as const, content: 'Tell me a story about a fox.' }],
  maxTokens: ANSWER_TOKENS
}

/** How a node fails, and how it recovers for the next answer. */
interface Failure {
  name: string
  interrupt: (node: Member) => void
  recover: (node: Member, fleet: Fleet) => Promise<void>
}

const spec = (name: string) => ({ name, role: 'node', crumb: 'Q8_0', slots: 2 }) as const

/**
 * A new node replaces the killed node. It has a new key, so more and more records of dead nodes are in the DHT. Every
 * new client must find the live nodes among them.
 */
const KILL: Failure = {
  name: 'kill',
  interrupt: (node) => node.kill('SIGKILL'),
  recover: async (node, fleet) => void (await fleet.start(spec(node.name)))
}

const STALL: Failure = {
  name: 'stall',
  interrupt: (node) => node.kill('SIGSTOP'),
  recover: async (node) => node.kill('SIGCONT')
}

interface Outcome {
  /** Undefined if the node had sent the whole answer before it failed. */
  gapMs: number | undefined
  prefillMs: number
  changed: boolean
}

export async function run({ args, signal, report, note }: BenchContext): Promise<void> {
  const answers = Number(args[0] ?? ANSWERS)
  const failures = [KILL, STALL].filter(({ name }) => args[1] === undefined || args[1] === name)
  if (!Number.isInteger(answers) || answers < 1 || failures.length === 0) {
    throw new Error('Usage: failover [ANSWERS] [kill|stall]')
  }
  for (const failure of failures) {
    note(`${answers} answers, each interrupted by a ${failure.name}.`)
    const outcomes: Outcome[] = []
    let failed = 0
    const fleet = await startFleet({
      nodes: Array.from({ length: NODES }, (_, index) => spec(`node-${index + 1}`)),
      signal
    })
    try {
      for (let index = 0; index < answers; index++) {
        signal.throwIfAborted()
        const outcome = await interrupted(fleet, failure, BigInt(index), signal)
        if (outcome === undefined) failed++
        else outcomes.push(outcome)
        if ((index + 1) % PROGRESS_ANSWERS === 0) note(`${index + 1} of ${answers}`)
      }
    } finally {
      await fleet.stop()
    }
    const row = { case: failure.name, unit: 'answers', n: answers }
    report({ ...row, metric: 'failed_answers', value: failed })
    report({ ...row, metric: 'changed_answers', value: outcomes.filter(({ changed }) => changed).length })
    const gaps = outcomes.flatMap(({ gapMs }) => gapMs ?? [])
    const prefills = outcomes.map(({ prefillMs }) => prefillMs)
    reportQuantiles(report, { case: failure.name, metric: 'gap_ms', unit: 'ms' }, gaps, [0.5, 0.95])
    reportQuantiles(report, { case: failure.name, metric: 'prefill_ms', unit: 'ms' }, prefills, [0.5])
  }
}

/**
 * Requests one answer twice, first uninterrupted and then interrupted. Uses a new client, which knows nothing about
 * earlier failures. Resolves to undefined if the interrupted answer failed.
 */
async function interrupted(
  fleet: Fleet,
  failure: Failure,
  seed: bigint,
  signal: AbortSignal
): Promise<Outcome | undefined> {
  const client = await createClient({ bootstrap: fleet.relay.addresses, scope: 'local', mdns: false, signal })
  try {
    const request = { ...(await withoutEndOfTurn(client, INPUT)), seed, temperature: 1, signal }
    const uninterrupted = await client.chat(request).result()
    const afterTokens = 1 + Math.floor(Math.random() * LATEST_INTERRUPTION)
    const { interrupt } = failure
    const { result, gapMs, node } = await interruptAnswer(client.chat(request), { fleet, afterTokens, interrupt })
    if (node !== undefined) await failure.recover(node, fleet)
    if (result === undefined) return undefined
    return { gapMs, prefillMs: result.metadata.timings.prefillMs, changed: !isSameAnswer(result, uninterrupted) }
  } finally {
    await client.stop()
  }
}
