import { auditorOf } from '@potluck/client'
import { FINGERPRINT_BYTES } from '@potluck/protocol'

import type { EngineEvent, GenerateJob, Generation } from '../../../node/engine/interface.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack, Outcome } from '../attack.ts'
import { AttackedNetwork } from '../network.ts'

const TOKENS = 100
/** Answers in which the client's own audits must find the node. */
const MOST_ANSWERS = 10

/** What the attacker signs for a token of an answer, from its own fingerprints of this answer and of the first one. */
type Borrow = (own: Uint8Array, first: readonly Uint8Array[], position: number) => Uint8Array
const KINDS: Readonly<Record<string, Borrow>> = {
  'its own fingerprints': (own) => own,
  'those of another answer': (own, first, position) => first[position] ?? own,
  'one fingerprint again and again': (own, first) => first[0] ?? own,
  'none, only zeros': (own) => new Uint8Array(own.byteLength)
}

/** Samples with a seed of its own, so its tokens are not those of the contract, and signs borrowed fingerprints. */
class Borrower extends ScriptedEngine {
  readonly #borrow: Borrow
  readonly #first: Uint8Array[] = []
  #answers = 0

  constructor(borrow: Borrow) {
    super()
    this.#borrow = borrow
  }

  override generate(job: GenerateJob, signal?: AbortSignal): Generation {
    const generation = super.generate({ ...job, sampling: { ...job.sampling, seed: job.sampling.seed ^ 1n } }, signal)
    const [borrow, first, isFirst] = [this.#borrow, this.#first, this.#answers++ === 0]
    return {
      grant: (tokens) => generation.grant(tokens),
      async *[Symbol.asyncIterator](): AsyncGenerator<EngineEvent, void, undefined> {
        let position = 0
        for await (const event of generation) {
          if (event.type !== 'delta') {
            yield event
            continue
          }
          const signed: Uint8Array[] = []
          for (const [index] of event.delta.tokens.entries()) {
            const own = event.fingerprints.subarray(index * FINGERPRINT_BYTES, (index + 1) * FINGERPRINT_BYTES)
            if (isFirst) first.push(own)
            signed.push(isFirst ? own : borrow(own, first, position))
            position++
          }
          yield { ...event, fingerprints: Buffer.concat(signed) }
        }
      }
    }
  }
}

export const attack: Attack = {
  title:
    'sends tokens that the model did not choose, with fingerprints of another answer, so that noise seems to explain them',
  cost: 'one key, one answer of the true model',
  before: 'not measured',

  async run({ note, signal }) {
    const outcomes: Outcome[] = []
    for (const [kind, borrow] of Object.entries(KINDS)) {
      const answers = await answersUntilBan(borrow, signal)
      note(`${kind}: banned after ${answers} answers of ${TOKENS} tokens`)
      outcomes.push({ metric: `${kind}: answers until the ban`, value: answers, limit: { atMost: MOST_ANSWERS } })
    }
    return outcomes
  }
}

/** Of a client with its own engine that audits every answer. */
async function answersUntilBan(borrow: Borrow, signal: AbortSignal): Promise<number> {
  await using network = new AttackedNetwork()
  const node = await network.node({}, new Borrower(borrow))
  const client = await network.client({
    bootstrap: node.addresses().slice(0, 1),
    auditor: auditorOf(new ScriptedEngine()),
    reputation: { parameters: { probationShare: 1, auditAllowanceTokens: 1e6 } }
  })
  for (let answers = 1; answers <= MOST_ANSWERS; answers++) {
    const answer = client.complete({ prompt: `Question ${answers}`, maxTokens: TOKENS, signal })
    const failed = await answer.result().then(
      () => false,
      () => true
    )
    await client.audited()
    const [standing] = client.standing()
    if (standing?.standing === 'banned') return answers
    // A quarantined node gets no more requests.
    if (failed) throw new Error(`the request failed, and the node is ${standing?.standing}`)
  }
  return Infinity
}
