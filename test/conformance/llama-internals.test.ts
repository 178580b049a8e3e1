/** The parts of the engine that depend on the internals of node-llama-cpp, compared with its public functions. */
import { getLlama, LlamaLogLevel, type Llama, type LlamaModel, type Token } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CANDIDATES } from '@potluck/protocol'
import type { PositionLogits } from '../../node/engine/answer/answer.ts'
import { TokenSet } from '../../node/engine/grammar/token-set.ts'
import { Decoder } from '../../node/engine/llama/internals/decoder.ts'
import { LlamaVocabulary } from '../../node/engine/llama/vocabulary.ts'
import { crumb } from '../../node/models/crumb.ts'

describe("the library's model in this process", () => {
  let llama: Llama
  let model: LlamaModel
  beforeAll(async () => {
    llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error })
    model = await llama.loadModel({ modelPath: crumb.Q8_0.path })
  })
  afterAll(() => llama.dispose())

  it('has the same bytes for every token as `LlamaVocabulary`', () => {
    const vocabulary = new LlamaVocabulary(model)
    const text = '  two spaces\n\ttab é 昔々 🐻‍❄️ <|im_end|> \u0000\uFEFFx'
    const bytes = model.tokenize(text).map((token) => vocabulary.piece(token).bytes)
    expect(Buffer.concat(bytes).toString()).toBe(text)
    for (const token of model.iterateAllTokens()) {
      const piece = vocabulary.piece(token).text
      if (piece !== undefined) expect(piece).toBe(model.detokenize([token]))
    }
  })

  it('gives `Decoder` the same logits as `controlledEvaluate`', async () => {
    const context = await model.createContext({ sequences: 2, contextSize: 256, threads: 1, flashAttention: false })
    const [ours, theirs] = [context.getSequence(), context.getSequence()]
    const decoder = new Decoder(ours, 0)
    const whole = { normaliser: true, allowed: () => undefined }
    const tokens = model.tokenize('Once upon a time there was a fox.')
    const options = { temperature: 1, topK: 64, topP: 1, minP: 0, seed: 0 }
    for (const token of tokens) {
      const [mine] = await decoder.decode([token], 0, whole)
      const [plain] = await theirs.controlledEvaluate([[token, { generateNext: { logits: true, options } }]])
      expect(new Map(plain?.next.logits)).toEqual(pairs(mine!))
    }
    // The normaliser, compared with a softmax over the whole vocabulary.
    await theirs.eraseContextTokenRanges([{ start: 0, end: theirs.nextTokenIndex }])
    const distribution = { probabilities: true, options: { ...options, topK: 0 } }
    const last = tokens.at(-1)!
    const outputs = await theirs.controlledEvaluate([...tokens.slice(0, -1), [last, { generateNext: distribution }]])
    await ours.eraseContextTokenRanges([{ start: 0, end: ours.nextTokenIndex }])
    const [scored] = await decoder.decode(tokens, tokens.length - 1, whole)
    const best = scored!.tokens[0] as Token
    const probability = outputs.at(-1)!.next.probabilities!.get(best)!
    expect(Math.exp(scored!.logits[0]! - scored!.logNormaliser!)).toBeCloseTo(probability, 5)
    await context.dispose()
  })

  it('gives the best of the allowed tokens only', async () => {
    const context = await model.createContext({ sequences: 1, contextSize: 256, threads: 1 })
    const sequence = context.getSequence()
    const decoder = new Decoder(sequence, 0)
    const tokens = model.tokenize('Once upon a time there was a fox.')
    const vocabulary = new LlamaVocabulary(model)
    const thirds = [0, 1, 2].map((rest) => {
      const set = new TokenSet(vocabulary.size)
      for (let token = rest; token < vocabulary.size; token += 3) set.add(token)
      return set
    })
    const decode = async (masks: readonly (TokenSet | undefined)[]): Promise<PositionLogits[]> => {
      await sequence.eraseContextTokenRanges([{ start: 0, end: sequence.nextTokenIndex }])
      const rest = [...masks]
      return decoder.decode(tokens, 0, { normaliser: true, allowed: () => rest.shift() })
    }
    const plain = await decode(tokens.map(() => undefined))
    // Each position allows another third of the tokens, so the samplers are reused again and again.
    const parts = [0, 1, 2].map((turn) => tokens.map((_, position) => thirds[(position + turn) % 3]))
    const masked = [await decode(parts[0]!), await decode(parts[1]!), await decode(parts[2]!)]
    for (const [position, { tokens: best, logits, logNormaliser }] of plain.entries()) {
      const found = masked.flatMap((scores) => [...pairs(scores[position]!)])
      const merged = found.toSorted(([a, x], [b, y]) => y - x || a - b).slice(0, CANDIDATES)
      expect(merged).toEqual(Array.from(best, (token, index) => [token, logits[index]]))
      for (const scores of masked) expect(scores[position]!.logNormaliser).toBe(logNormaliser)
    }
    const two = new TokenSet(vocabulary.size)
    for (const token of [7, 300]) two.add(token)
    const [few] = await decode(tokens.map(() => two))
    expect(few!.tokens.toSorted()).toEqual(Uint32Array.of(7, 300))
    await context.dispose()
  })
})

function pairs({ tokens, logits }: { tokens: Uint32Array; logits: Float32Array }): Map<number, number> {
  return new Map(Array.from(tokens, (token, index) => [token, logits[index]!]))
}
