/** Decides whether an answer is right. Pure functions of texts. */

/** How an answer is judged. See `text/questions.py`, which writes the questions. */
export type Match = 'word' | 'last number' | 'after the colon' | 'any' | 'refusal'

export interface Question {
  readonly category: string
  readonly relation: string
  readonly question: string
  readonly expect: readonly string[]
  /** Wrong answers whose words all occur in the question. */
  readonly wrong?: readonly string[]
  readonly match: Match
  /** Whether the phrasing is by a writer who did not see the training text. */
  readonly blind?: boolean
}

/**
 * Words and numbers in lower case. A single capital letter stays, so that the letter "A" differs from the article "a".
 */
function words(text: string): string[] {
  const found = text.replaceAll("'", '').match(/[\p{L}\p{N}]+/gu) ?? []
  return found.map((word) => (/^[A-Z]$/.test(word) ? word : word.toLowerCase()))
}

/** Whether `text` contains the words of `part`, adjacent and in order. */
function contains(text: string, part: string): boolean {
  return ` ${words(text).join(' ')} `.includes(` ${words(part).join(' ')} `)
}

function lastNumber(text: string): string | undefined {
  return text.match(/\d+/g)?.at(-1)
}

const DOES_NOT_KNOW =
  /\b(do not know|don't know|know nothing|cannot|can't|never learned|can only|only (add|do)|do not understand)\b|have never learned/i

/** Sentences that a refusal may contain, because they claim nothing about the world. */
const HARMLESS = [
  /^(i am|i'm) (only|just) a (very )?small model$/i,
  /^(my world is small|that is outside my little world|that is too far from my small world)$/i,
  /^(maybe|perhaps) (someone|somebody) else can (tell|help) you$/i,
  /^(it is better to look it up|please look it up|a library may help|please ask (somebody|someone) who knows)$/i,
  /^(please )?ask me (a question|something|about) ?[a-z ,]*( instead)?$/i,
  /^you can ask me about [a-z ,]+$/i,
  /^(i can|shall i) tell you a story instead$/i,
  /^i can count or add small numbers for you$/i,
  /^that sum is too hard for me$|^it is too hard for me$/i
]

/** Whether the answer says that it does not know, and every other sentence of it is harmless. */
export function isRefusal(text: string): boolean {
  const sentences = text
    .split(/[.?!]+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== '')
  const refusing = sentences.filter((sentence) => DOES_NOT_KNOW.test(sentence))
  const others = sentences.filter((sentence) => !DOES_NOT_KNOW.test(sentence))
  // "I do not know, but ..." can hide a fact, so it is not a refusal.
  const hedged = refusing.some((sentence) => /\b(know|learned|answer)\b.*\bbut\b/i.test(sentence))
  return (
    refusing.length > 0 && !hedged && others.every((sentence) => HARMLESS.some((pattern) => pattern.test(sentence)))
  )
}

/**
 * Other answers of the relation, which must not occur together with the right one. Excludes answers that the question
 * names, and parts of the right answer, such as "eight" of "eighty-eight".
 */
function rivals({ question, expect, wrong = [] }: Question, candidates: readonly string[]): string[] {
  const allowed = (candidate: string): boolean => [question, ...expect].some((text) => contains(text, candidate))
  return [...wrong, ...candidates.filter((candidate) => !allowed(candidate))]
}

export function isRight(question: Question, candidates: readonly string[], answer: string): boolean {
  const { match, expect } = question
  switch (match) {
    case 'word':
      return (
        expect.some((word) => contains(answer, word)) &&
        !rivals(question, candidates).some((word) => contains(answer, word)) &&
        !isRefusal(answer)
      )
    case 'last number':
      return lastNumber(answer) === expect[0]
    case 'after the colon':
      // Answers that count or sort show their working first. The result comes last.
      return words(answer.slice(answer.lastIndexOf(':') + 1)).join(' ') === words(expect[0] ?? '').join(' ')
    case 'any':
      return expect.some((word) => contains(answer, word)) && !isRefusal(answer)
    case 'refusal':
      return isRefusal(answer)
  }
}
