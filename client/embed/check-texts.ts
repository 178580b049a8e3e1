/**
 * Invents the texts of checks. They contain nothing of the user's texts, because another node sees them too. Each is
 * English sentences that every tokenizer can tell from any other text.
 */
import { LEAST_CHECK_WORDS, MOST_CHECK_WORDS } from './constants.ts'

const WHO =
  'the teacher|my neighbour|a young engineer|our team|the old sailor|a customer|the committee|her brother|the small museum|a visiting doctor|the gardener|their company|a retired pilot|the new manager|an author|the choir'
const DID =
  'repaired|described|ordered|forgot|compared|delivered|explained|borrowed|painted|measured|returned|designed|cancelled|photographed|collected|translated'
const WHAT =
  'a wooden bridge|the annual report|two cups of coffee|the broken window|a list of questions|the shipping address|a map of the valley|seven letters|the winter schedule|a second opinion|the password policy|an old recipe|the train tickets|a simple contract|the last chapter|a box of nails'
const WHEN =
  'on Monday|before lunch|after the storm|in early spring|last year|at midnight|during the meeting|within a week|for the first time|twice a month|near the harbour|without any help|because of the rain|despite the noise|at a low price|in plain language'

const PARTS = [WHO, DID, WHAT, WHEN].map((list) => list.split('|'))

/**
 * Returns a text of about as many words as one of the user's texts.
 *
 * @param random uniform in [0, 1)
 */
export function checkText(texts: readonly string[], random: () => number): string {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const like = pick(texts).trim().split(/\s+/).length
  const length = Math.min(Math.max(like, LEAST_CHECK_WORDS), MOST_CHECK_WORDS)
  const words: string[] = []
  while (words.length < length) {
    const sentence = PARTS.map(pick).join(' ')
    words.push(...`${sentence[0]!.toUpperCase()}${sentence.slice(1)}.`.split(' '))
  }
  return words.slice(0, length).join(' ')
}
