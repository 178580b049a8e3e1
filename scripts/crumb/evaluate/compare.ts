/** Compares the distributions of two model files, position by position, on texts that the first one generated. */

import type { Token } from 'node-llama-cpp'

import type { Loaded } from './engine.ts'

export interface Difference {
  readonly positions: number
  /** Share of positions at which both files have the same most likely token. */
  readonly sameTop: number
  /** Mean Kullback-Leibler divergence from the first file's distribution to the second one's, in nats. */
  readonly meanKl: number
}

/** The tokens of a prompt and its answer. */
export interface Sample {
  readonly prompt: readonly Token[]
  readonly answer: readonly Token[]
}

/** Renders the question with the model's own template. */
function render({ model, chatWrapper }: Loaded, question: string): Token[] {
  const chatHistory = [
    { type: 'user' as const, text: question },
    { type: 'model' as const, response: [] }
  ]
  return chatWrapper.generateContextState({ chatHistory }).contextText.tokenize(model.tokenizer)
}

/** Samples answers until they have `tokens` tokens together. */
export async function sample(
  loaded: Loaded,
  questions: readonly string[],
  temperature: number,
  tokens: number
): Promise<Sample[]> {
  const samples: Sample[] = []
  let total = 0
  for (let index = 0; total < tokens; index++) {
    const prompt = render(loaded, questions[index % questions.length] ?? '')
    const answer: Token[] = []
    await loaded.sequence.clearHistory()
    const options = { temperature, topK: 0, topP: 1, minP: 0, seed: 1 + index }
    for await (const token of loaded.sequence.evaluate(prompt, options)) {
      answer.push(token)
      if (loaded.model.isEogToken(token) || answer.length >= Math.min(256, tokens - total)) break
    }
    total += answer.length
    samples.push({ prompt, answer })
  }
  return samples
}

/** The distribution for every token of the answer, at temperature 1 over the whole vocabulary. */
async function distributions(loaded: Loaded, { prompt, answer }: Sample): Promise<Map<Token, number>[]> {
  const generateNext = { probabilities: true, options: { temperature: 1, topK: 0, topP: 1, minP: 0, seed: 0 } }
  const all = [...prompt, ...answer.slice(0, -1)]
  await loaded.sequence.clearHistory()
  const outputs = await loaded.sequence.controlledEvaluate(
    all.map((token, index) => (index >= prompt.length - 1 ? [token, { generateNext }] : token))
  )
  return outputs.slice(prompt.length - 1).map((output) => output?.next.probabilities ?? new Map<Token, number>())
}

/** KL(p || q) in nats. */
function divergence(p: Map<Token, number>, q: Map<Token, number>): number {
  let sum = 0
  for (const [token, probability] of p) {
    if (probability > 0) sum += probability * Math.log(probability / Math.max(q.get(token) ?? 0, 1e-12))
  }
  return sum
}

function top(distribution: Map<Token, number>): Token | undefined {
  return distribution.keys().next().value
}

export async function compare(first: Loaded, second: Loaded, samples: readonly Sample[]): Promise<Difference> {
  let positions = 0
  let same = 0
  let kl = 0
  for (const item of samples) {
    const [p, q] = [await distributions(first, item), await distributions(second, item)]
    for (const [index, left] of p.entries()) {
      const right = q[index] ?? new Map<Token, number>()
      positions++
      if (top(left) === top(right)) same++
      kl += divergence(left, right)
    }
  }
  return { positions, sameTop: same / positions, meanKl: kl / positions }
}
