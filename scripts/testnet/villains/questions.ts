/** What is asked: stories, whose answers are long enough to be cut, and to show which model gave them. */
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

/** The request of that number. What was asked is nobody's secret, so that the nodes may judge each other's answers. */
export function question(index: number): Omit<ChatOptions, 'model' | 'signal'> {
  const pick = <T>(choices: readonly T[], step: number): T => choices[Math.floor(index / step) % choices.length] as T
  const writer = pick(WRITERS, 1)
  return {
    messages: [{ role: 'user', content: writer(pick(HEROES, 1), pick(PLACES, 2)) }],
    temperature: pick(TEMPERATURES, 1),
    maxTokens: MAX_TOKENS,
    shareable: true
  }
}
