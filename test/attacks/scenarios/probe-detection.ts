import { seeded } from '../../seeded.ts'
import type { Attack, Outcome } from '../attack.ts'
import { accuracy, shuffle } from '../probes/classifier.ts'
import { collect, type Labelled } from '../probes/collect.ts'
import { conversationOf, featuresOf } from '../probes/features.ts'

/** The user's conversations that are shareable in the second part. The user chooses them by chance. */
const SHARED = 0.25
/** Users of a full measurement. They ask at the same time, each at nodes of their own. */
const USERS = 6
/** Standard deviations that a short measurement allows for chance: 1 in 700. */
const SIGMAS = 3

export const attack: Attack = {
  title: 'serves all nodes of a client, and learns to tell requests that can be audited from all others',
  cost: 'three keys',
  before: 'the flag `shareable` separated them without an error',

  async run(context) {
    const { short, signal, note } = context
    const users = short ? 1 : USERS
    const count = short ? 60 : 2_000
    const collected = async (shared: number, pace: number): Promise<Labelled[][]> => {
      const parts = Array.from({ length: users }, async (_, seed) =>
        collect({ shared, pace, seed, count: Math.ceil(count / users) }, signal)
      )
      return (await Promise.all(parts)).map((part) => [...part])
    }
    const alone = await collected(0, 1)
    const shared = await collected(SHARED, 0.2)
    const measure = (parts: Labelled[][], text: boolean): number => {
      const value = measured(parts, text, count)
      note(
        `${text ? 'with' : 'without'} the texts, ${parts === alone ? 'nothing' : 'some'} shared: ${(100 * value).toFixed(1)} %`
      )
      return value
    }
    note(`${alone.flat().length} and ${shared.flat().length} requests`)
    // Not defended: see docs/security.md.
    measure(alone, true)
    const bound = short ? 'accuracy less chance' : 'accuracy'
    return [
      outcome(`a user who shares nothing, without the texts: ${bound}, %`, measure(alone, false)),
      outcome(`a user who shares some requests, with the texts: ${bound}, %`, measure(shared, true))
    ]

    function outcome(metric: string, value: number): Outcome {
      const chance = short ? (SIGMAS * 0.5) / Math.sqrt(2 * count) : 0
      return { metric, value: Math.round(1000 * (value - chance)) / 10, limit: { atMost: 55 } }
    }
  }
}

/** Returns the accuracy of the attacker with the same number of requests of both kinds. */
function measured(parts: Labelled[][], text: boolean, count: number): number {
  const random = seeded(1)
  const examples = parts.flatMap((part) => {
    const features = featuresOf(part, { text })
    return part.map(({ request, auditable }, index) => ({
      features: features[index]!,
      label: auditable,
      group: conversationOf(request.input)
    }))
  })
  shuffle(examples, random)
  return accuracy(
    [true, false].flatMap((kind) => examples.filter(({ label }) => label === kind).slice(0, count)),
    random
  )
}
