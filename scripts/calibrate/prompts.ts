/** Random prompts that the embedded model can answer. */
import type { PromptInput } from '@potluck/protocol'

const ANIMALS = ['fox', 'hen', 'bear', 'mouse', 'frog', 'goat', 'owl', 'dog', 'cat', 'duck', 'horse', 'snail']
const PLACES = ['farm', 'beach', 'garden', 'forest', 'town', 'river', 'mountain', 'market', 'kitchen', 'island']
const THINGS = ['lamp', 'boat', 'kite', 'drum', 'key', 'hat', 'bell', 'map', 'ladder', 'basket']
const COUNTRIES = ['France', 'Italy', 'Japan', 'Egypt', 'Peru', 'Norway', 'Kenya', 'Spain', 'Greece', 'Canada']

type Writer = (pick: <T>(items: readonly T[]) => T) => string

/** Most prompts ask for stories, because stories are long and often have several likely next tokens. */
const WRITERS: readonly Writer[] = [
  (pick) => `Tell me a story about a ${pick(ANIMALS)}.`,
  (pick) => `Write a short story about a ${pick(ANIMALS)} and a ${pick(THINGS)}.`,
  (pick) => `Make up a story about a ${pick(ANIMALS)} who lives near the ${pick(PLACES)}.`,
  (pick) => `Write a story about a ${pick(PLACES)}.`,
  (pick) => `Story about a ${pick(ANIMALS)} and a ${pick(ANIMALS)}`,
  (pick) => `What is the capital of ${pick(COUNTRIES)}?`,
  (pick) => `What is ${pick([2, 3, 4, 5, 6, 7, 8, 9])} + ${pick([2, 3, 4, 5, 6, 7, 8, 9])}?`,
  (pick) => `What is a ${pick([...ANIMALS, ...THINGS])}?`
]

/**
 * @param random 32 bits per call
 * @param chat whether the model has a chat template
 */
export function writePrompt(random: () => number, chat: boolean): PromptInput {
  const pick = <T>(items: readonly T[]): T => items[random() % items.length]!
  if (!chat) return { prompt: `One day, a ${pick(ANIMALS)} and a ${pick(ANIMALS)} found a ${pick(THINGS)}` }
  return { messages: [{ role: 'user', content: pick(WRITERS)(pick) }] }
}
