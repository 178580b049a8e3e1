/**
 * The requests of the scenario. They ask for stories, because the answers are then long enough for the cutter to cut
 * them and for an audit to identify the model.
 */
import type { ChatOptions } from '@potluck/client'

const HEROES = ['fox', 'hen', 'bear', 'mouse', 'frog', 'goat', 'owl', 'dog', 'cat', 'duck', 'horse', 'snail']
const PLACES = ['farm', 'beach', 'garden', 'forest', 'town', 'river', 'mountain', 'market', 'island']
const TEMPERATURES = [0.7, 0.8, 1]

type Writer = (hero: string, place: string) => string

const WRITERS: readonly Writer[] = [
  (hero) => `Tell me a story about a ${hero}.`,
  (hero, place) => `Write a short story about a ${hero} and a ${place}.`,
  (_, place) => `Write a story about a ${place}.`
]

/** Long enough for every story of crumb. */
const MAX_TOKENS = 256

/** The request with this index. It is marked as shareable, so that other nodes may audit the answer. */
export function question(index: number): Omit<ChatOptions, 'model' | 'signal'> {
  const pick = <T>(items: readonly T[], step: number): T => items[Math.floor(index / step) % items.length] as T
  const writer = pick(WRITERS, 1)
  return {
    messages: [{ role: 'user', content: writer(pick(HEROES, 1), pick(PLACES, 2)) }],
    temperature: pick(TEMPERATURES, 1),
    maxTokens: MAX_TOKENS,
    shareable: true
  }
}
