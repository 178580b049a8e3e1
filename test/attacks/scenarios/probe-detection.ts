import { seeded } from '../../seeded.ts'
import type { Attack, AttackContext, Outcome } from '../attack.ts'
import { accuracy, shuffle } from '../probes/classifier.ts'
import { collect, type Collected } from '../probes/collect.ts'
import { conversationOf, featuresOf } from '../probes/features.ts'

/** The user's conversations that are shareable in the second part. The user chooses them by chance. */
const SHARED = 0.25
/** Standard deviations that a short measurement allows for chance: 1 in 700. */
const SIGMAS = 3

export const attack: Attack = {
  title: 'serves all nodes of a client, and learns to tell requests that can be audited from all others',
  cost: 'three keys',
  before: 'the flag `shareable` separated them without an error',

  async run(context) {
    const count = context.short ? 60 : 2_000
    const alone = await collect({ shared: 0, count, pace: 1 }, context)
    const shared = await collect({ shared: SHARED, count, pace: 0.2 }, context)
    const measure = (part: Collected, text: boolean): number => measured(part, text, count, context)
    const content = measure(alone, true)
    context.note(
      `a user who shares nothing, with the texts: ${(100 * content).toFixed(1)} % right, see docs/security.md`
    )
    const bound = context.short ? 'accuracy less chance' : 'accuracy'
    return [
      outcome(`a user who shares nothing, without the texts: ${bound}, %`, measure(alone, false)),
      outcome(`a user who shares some requests, with the texts: ${bound}, %`, measure(shared, true))
    ]

    function outcome(metric: string, value: number): Outcome {
      const chance = context.short ? (SIGMAS * 0.5) / Math.sqrt(2 * count) : 0
      return { metric, value: Math.round(1000 * (value - chance)) / 10, limit: { atMost: 55 } }
    }
  }
}

/** Returns the accuracy of the attacker with the same number of requests of both kinds. */
function measured({ seen, auditable }: Collected, text: boolean, count: number, { note }: AttackContext): number {
  const random = seeded(1)
  const features = featuresOf(seen, { text })
  const examples = seen.map(({ request }, index) => ({
    features: features[index]!,
    label: auditable[index]!,
    group: conversationOf(request.input)
  }))
  shuffle(examples, random)
  const drawn = [true, false].flatMap((kind) => examples.filter(({ label }) => label === kind).slice(0, count))
  const value = accuracy(drawn, random)
  note(`${drawn.length} requests, ${text ? 'with' : 'without'} texts: ${(100 * value).toFixed(1)} %`)
  return value
}
