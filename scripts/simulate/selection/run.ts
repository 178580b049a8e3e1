/**
 * One run. All peers answer honestly, and every client has audited them in earlier sessions. Clients know the speed of a
 * peer only from its card. Of 50 peers, 20 % are stragglers half of the time, 30 % always claim to be idle, and all
 * of them come and go. Chats of several turns arrive. Their load is 80 % of what the peers can serve on average, counting
 * stragglers and absences, and counting every prompt as evaluated in full. Cache hits make the real load lower. The first
 * five minutes are not measured.
 */
import { conversationsThatFit } from '../../../node/engine/memory.ts'
import { freshState, MemoryReputationStore, type ReputationStore } from '../../../client/reputation/index.ts'
import type { Attack } from '../attacks/attack.ts'
import { churn, CHURN_SHARE } from '../attacks/churn.ts'
import { lyingAboutLoad } from '../attacks/lying-about-load.ts'
import { STRAGGLER_SHARE, stragglers } from '../attacks/stragglers.ts'
import { Clock } from '../clock.ts'
import { DIGEST } from '../policies/auditing.ts'
import { createPolicy, type PolicyName } from '../policies/selectors.ts'
import { Random } from '../random.ts'
import { SimClient, type Outcome } from '../world/client.ts'
import { Directory } from '../world/directory.ts'
import { Network, type Member } from '../world/network.ts'
import { MOST_SLOTS, population } from '../world/traits.ts'
import { MEAN_ANSWER_TOKENS, MEAN_NEW_TOKENS, nextTurn, type Turn } from '../world/workload.ts'

export interface RunOptions {
  peers: number
  clients: number
}

const LOAD = 0.8
const STRAGGLERS = 0.2
const LIARS = 0.3
const WARM_UP_MS = 5 * 60_000
const MEASURED_MS = 10 * 60_000
const MEAN_TURNS = 4
const MEAN_THINKING_MS = 15_000
const neverAborted = new AbortController().signal

const GIB = 2 ** 30
/** A model of 3 B parameters with 4 bits a weight, on a device of 16 GiB of which 1 GiB is taken. */
const FREE_BYTES = (16 - 1 - 2) * GIB
/** Its contexts of 4,096 tokens, 36 KiB each. */
const CONTEXT_BYTES = 4_096 * 36 * 1024
/** Conversations that such a node remembers beside its slots, by the product's own rule. */
export const REMEMBERED: number = conversationsThatFit([
  { freeBytes: FREE_BYTES - MOST_SLOTS * CONTEXT_BYTES, bytesEach: CONTEXT_BYTES }
])
/** What nodes with less memory have: those with 12 GiB 30, those with 8 GiB 15. */
export const OTHERS_REMEMBER: readonly number[] = [0, 8, 16, 32]

export interface Measured {
  ttft: number[]
  total: number[]
  requests: number
  duplicatePrefills: number
  followUps: number
  prefixHits: number
  utilisation: number
  /** Requests that failed and were sent again. */
  failures: number
}

export async function simulate(
  name: PolicyName,
  seed: number,
  options: RunOptions,
  remembered: number
): Promise<Measured> {
  const random = new Random(seed)
  const clock = new Clock()
  const traits = population({ peers: options.peers, maliciousShare: 0, remembered }, random)
  const network = new Network(traits, clock, random)
  const troubles: Array<[Attack, number]> = [
    [stragglers, STRAGGLERS],
    [lyingAboutLoad, LIARS],
    [churn, 1]
  ]
  let ratePerMs = 0
  for (const [trouble, share] of troubles) {
    const members = random.shuffled(network.members).slice(0, Math.round(share * options.peers))
    trouble.begin({ malicious: members, cheats: [], clock, random })
    if (trouble === stragglers) ratePerMs = LOAD * capacityPerMs(network.members, new Set(members))
  }
  const measured: Measured = {
    ttft: [],
    total: [],
    requests: 0,
    duplicatePrefills: 0,
    followUps: 0,
    prefixHits: 0,
    utilisation: 0,
    failures: 0
  }
  const clients = Array.from({ length: options.clients }, (_, index) => {
    const directory = new Directory(network)
    const context = { directory, loadOf: network.loadOf, now: clock.now, random: random.next }
    const { selector } = createPolicy(name, context, acquainted(network.members, clock.now()))
    return new SimClient(`client-${index}`, network, directory, selector, { canAudit: () => true })
  })

  let conversations = 0
  const converse = async (client: SimClient, conversation: string): Promise<void> => {
    for (let before: Turn | undefined; ;) {
      const turn = nextTurn(conversation, before, random)
      const outcome = await client.ask(turn)
      if (outcome.startedAt >= WARM_UP_MS) note(measured, outcome, before)
      if (!random.chance(1 - 1 / MEAN_TURNS)) return
      await clock.sleep(random.exponential(MEAN_THINKING_MS), neverAborted)
      before = turn
    }
  }
  const arrive = (): void => {
    // A conversation that the end of the run cuts is not measured.
    void converse(random.pick(clients), `conversation-${conversations++}`)
    clock.after(random.exponential(MEAN_TURNS / ratePerMs), arrive)
  }
  arrive()
  await clock.runUntil(WARM_UP_MS + MEASURED_MS)
  const slots = network.members.reduce((sum, { peer }) => sum + peer.traits.slots, 0)
  const busyMs = network.members.reduce((sum, { peer }) => sum + peer.busyMs, 0)
  measured.utilisation = busyMs / (slots * CHURN_SHARE * clock.now())
  return measured
}

function note(measured: Measured, outcome: Outcome, before: Turn | undefined): void {
  measured.requests++
  measured.ttft.push(outcome.ttftMs)
  measured.total.push(outcome.totalMs)
  measured.duplicatePrefills += outcome.duplicatePrefills
  measured.failures += outcome.failures
  if (before === undefined) return
  measured.followUps++
  measured.prefixHits += Number(outcome.cachedTokens >= before.promptTokens + before.answerTokens)
}

/** Requests that the peers can serve in a millisecond, on average. */
function capacityPerMs(members: readonly Member[], slow: ReadonlySet<Member>): number {
  // The mean turn of a chat is as deep as the mean number of turns still to come.
  const promptTokens = MEAN_NEW_TOKENS + (MEAN_TURNS - 1) * (MEAN_NEW_TOKENS + MEAN_ANSWER_TOKENS)
  return members.reduce((sum, member) => {
    const { slots, prefillTokensPerSecond, decodeTokensPerSecond } = member.peer.traits
    const serviceMs = (promptTokens / prefillTokensPerSecond + MEAN_ANSWER_TOKENS / decodeTokensPerSecond) * 1000
    return sum + (slots * CHURN_SHARE * (slow.has(member) ? STRAGGLER_SHARE : 1)) / serviceMs
  }, 0)
}

/** A store in which every peer has passed its probation. */
function acquainted(members: readonly Member[], now: number): ReputationStore {
  const store = new MemoryReputationStore()
  for (const { key } of members) {
    const integrity = { evidence: { answers: 10, tokens: 2_000, tests: [], peak: 0 }, logEvidence: 0 }
    const fresh = freshState(now)
    const reliability = { ...fresh.reliability, week: { complete: 10, failed: 0, at: now } }
    store.save({ peer: key, digest: DIGEST, state: { ...fresh, integrity, reliability } })
  }
  return store
}
