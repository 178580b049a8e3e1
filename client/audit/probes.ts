/**
 * Probes: requests that the client sends only to audit a node. Other nodes may see them. The client invents the question,
 * or repeats a request that the user marked as shareable. A probe must look like a question of a person and use the
 * sampling options of this user. Otherwise a malicious node could recognise probes and answer only these honestly.
 */
import { toAsk, type Ask } from '../base/request.ts'

/** Estimated tokens of a probe and its answer. The budget pays for them before the real number is known. */
export const PROBE_TOKENS: number = 250

const OPENINGS: readonly string[] = [
  'Explain in a few sentences {}.',
  'What should a beginner know about {}?',
  'Write a short paragraph about {}.',
  'Give me three facts about {}.',
  'I have to talk about {} tomorrow. Where do I start?',
  'Why do people care about {}?',
  'Can you summarise {} for a child?',
  'What is a common mistake with {}, and how can I avoid it?',
  'Tell me a short story that has something to do with {}.',
  'Write four lines of a poem about {}.'
]

const SUBJECTS: readonly string[] = [
  'how tides work',
  'baking bread at home',
  'learning a second language',
  'the history of bicycles',
  'sorting a list of numbers',
  'growing tomatoes on a balcony',
  'writing a cover letter',
  'the planets of the solar system',
  'budgeting for a small trip',
  'training for a first marathon',
  'the rules of chess',
  'making a simple web page',
  'the water cycle',
  'choosing a used car',
  'falling asleep earlier',
  'lighthouses',
  'photographing birds',
  'remembering names',
  'regular expressions',
  'an old clock in the attic'
]

/**
 * Returns a probe that resembles a request of the user. If the request is shareable and its answer depends on the
 * seed, the probe repeats it with another seed. Otherwise the probe is one of 200 invented questions, with the
 * sampling options of the request.
 *
 * @param random uniform in [0, 1)
 */
export function probeLike(like: Ask, random: () => number): Ask {
  // A repeated request is the hardest to recognise as a probe: the user wrote it, and its answer has a usual length.
  if (like.shareable && like.sampling.temperature > 0) {
    const [seed = 0n] = crypto.getRandomValues(new BigUint64Array(1))
    return { ...like, sampling: { ...like.sampling, seed }, otherModels: false }
  }
  const { input, model, maxTokens } = like
  // The seed can be the user's choice, and a logit bias can reveal the question, so the probe has neither.
  const { temperature, topK, topP, minP, presencePenalty, frequencyPenalty } = like.sampling
  const sampling = { temperature, topK, topP, minP, presencePenalty, frequencyPenalty }
  const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)] ?? ''
  const question = pick(OPENINGS).replace('{}', pick(SUBJECTS))
  const options = { model, shareable: true, ...sampling, ...(maxTokens === undefined ? {} : { maxTokens }) }
  return 'prompt' in input
    ? toAsk({ ...options, prompt: question })
    : toAsk({ ...options, messages: [{ role: 'user', content: question }] })
}
