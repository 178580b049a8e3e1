/**
 * Requests with which a caller could try to make honest machines differ. Most of them make tokens win that are near the
 * cut after the 64th candidate, or at the edge of a filter: there, little noise decides between very different tokens.
 */
import { MAX_BIAS, MAX_TEMPERATURE, type OutputConstraint, type SamplingParameters } from '@potluck/protocol'

export interface Asked extends Partial<SamplingParameters> {
  constraint?: OutputConstraint
}

const UNFILTERED = { topK: 0, topP: 1, minP: 0 } as const

type Writer = (model: Model, random: () => number) => Asked

interface Model {
  vocabularySize: number
  canChat: boolean
}

/**
 * Biases of a share of the tokens, at random. With a share of 1/64, about one candidate of each position has a bias.
 */
function biases({ vocabularySize }: Model, random: () => number, share: number, bias: () => number): Asked {
  const tokens = Math.min(1024, Math.ceil(share * vocabularySize))
  return { logitBias: new Map(Array.from({ length: tokens }, () => [random() % vocabularySize, bias()])) }
}

const WRITERS: readonly Writer[] = [
  () => ({ temperature: 2, ...UNFILTERED }),
  () => ({ temperature: 10, ...UNFILTERED }),
  () => ({ temperature: MAX_TEMPERATURE, ...UNFILTERED }),
  () => ({ temperature: MAX_TEMPERATURE, topK: 0, topP: 0.9, minP: 0 }),
  () => ({ temperature: 5, topK: 0, topP: 1, minP: 0.01 }),
  () => ({ temperature: 1.5, topK: 64, topP: 0.5, minP: 0 }),
  (model, random) => ({ temperature: 0, ...biases(model, random, 1 / 64, () => MAX_BIAS) }),
  (model, random) => ({ temperature: 1, ...UNFILTERED, ...biases(model, random, 1 / 64, () => MAX_BIAS) }),
  (model, random) => ({ temperature: 0, ...biases(model, random, 1 / 256, () => 20) }),
  (model, random) => ({ temperature: 0.7, ...biases(model, random, 0.5, () => -MAX_BIAS) }),
  (model, random) => ({
    temperature: 1,
    ...biases(model, random, 0.25, () => (2 * MAX_BIAS * random()) / 2 ** 32 - MAX_BIAS)
  }),
  () => ({ temperature: 0, presencePenalty: 2, frequencyPenalty: 2 }),
  () => ({ temperature: 0.7, presencePenalty: MAX_BIAS, frequencyPenalty: MAX_BIAS }),
  () => ({ temperature: 0, frequencyPenalty: MAX_BIAS }),
  () => ({ temperature: 1, ...UNFILTERED, presencePenalty: -MAX_BIAS }),
  ({ canChat }) => ({ temperature: 1, ...UNFILTERED, constraint: document(canChat) }),
  ({ canChat }) => ({ temperature: MAX_TEMPERATURE, ...UNFILTERED, constraint: document(canChat) }),
  ({ canChat }) => ({
    temperature: 0,
    frequencyPenalty: 2,
    constraint: { chat: canChat, responseFormat: { type: 'regex', pattern: '([a-z]{2,9} ){40}' } }
  })
]

function document(chat: boolean): OutputConstraint {
  const schema = {
    type: 'object',
    properties: {
      kind: { enum: ['cat', 'dog', 'owl', 'fox'] },
      name: { type: 'string', maxLength: 60 },
      age: { type: 'integer', minimum: 0, maximum: 90 },
      words: { type: 'array', items: { type: 'string', maxLength: 20 }, minItems: 3, maxItems: 6 }
    },
    required: ['kind', 'name', 'age', 'words']
  }
  return { chat, responseFormat: { type: 'json_schema', schema } }
}

/** Returns the parameters of the answer with this index. */
export function adversarial(index: number, model: Model, random: () => number): Asked {
  return WRITERS[index % WRITERS.length]!(model, random)
}
