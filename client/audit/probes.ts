/**
 * Questions of the client's own, for audits where what the user asked may be shown to nobody. They
 * have to look like what people ask, and be asked as this user asks: a node that knew them apart
 * would answer only them honestly.
 */
import { toAsk, type Ask } from '../base/request.ts'

/** Tokens that a probe and its answer are counted for before they are known. */
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
 * The user's own question once more, if others may see it and its answer is not the same each time; else one of
 * some hundreds, with the sampling of a request that the user made.
 *
 * @param random uniform in [0, 1)
 */
export function probeLike(like: Ask, random: () => number): Ask {
  // Nothing looks more like the ordinary traffic, in length too: what a model does not know it answers in few tokens.
  if (like.shareable && like.sampling.temperature > 0) {
    const [seed = 0n] = crypto.getRandomValues(new BigUint64Array(1))
    return { ...like, sampling: { ...like.sampling, seed }, otherModels: false }
  }
  const { input, model, maxTokens } = like
  // Not the seed, which the user may have chosen, nor what is added to tokens, which may tell of the question.
  const { temperature, topK, topP, minP, presencePenalty, frequencyPenalty } = like.sampling
  const sampling = { temperature, topK, topP, minP, presencePenalty, frequencyPenalty }
  const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)] ?? ''
  const question = pick(OPENINGS).replace('{}', pick(SUBJECTS))
  const options = { model, shareable: true, ...sampling, ...(maxTokens === undefined ? {} : { maxTokens }) }
  return 'prompt' in input
    ? toAsk({ ...options, prompt: question })
    : toAsk({ ...options, messages: [{ role: 'user', content: question }] })
}
