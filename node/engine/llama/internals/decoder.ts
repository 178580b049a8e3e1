/**
 * Evaluates tokens and returns raw logits.
 *
 * The library's public function, `controlledEvaluate`, makes a native sampler and a map of the results for each call.
 * This takes 30 us per token, 10 % of the time of a token on a tiny model. The decoder keeps its samplers instead.
 * `test/conformance/llama-internals.test.ts` compares the results of the decoder and of `controlledEvaluate`.
 */
import { LRUCache } from 'lru-cache'
import type { LlamaContextSequence } from 'node-llama-cpp'
import { AUDIT_CANDIDATES, CANDIDATES } from '@potluck/protocol'
import type { PositionLogits } from '../../answer/answer.ts'
import { MASKED_SAMPLERS } from '../../constants.ts'
import type { TokenSet } from '../../grammar/token-set.ts'
import { internalsOf, type NativeSample, type NativeSampler, type SequenceInternals } from './pinned.ts'
import { maskWith, newSampler, Samplers } from './samplers.ts'

export interface LogitsWanted {
  /** Whether to compute `logNormaliser`. This is slow, because the library also sorts the vocabulary. */
  normaliser: boolean
  /** The most logits at each position. Default: the candidates of the sampling contract. */
  candidates?: number
  /** Returns the allowed tokens; undefined: all. Called once for each position, in order. */
  allowed: () => TokenSet | undefined
}

export class Decoder {
  readonly #sequence: SequenceInternals
  readonly #id: number
  readonly #samplers: Samplers
  readonly #masked: LRUCache<TokenSet, NativeSampler> = new LRUCache({ max: MASKED_SAMPLERS })

  /** @param id the id of the sequence, by which `Batching` orders the batch */
  constructor(sequence: LlamaContextSequence, id: number, samplers: Samplers = new Samplers()) {
    this.#sequence = internalsOf(sequence)
    this.#id = id
    this.#samplers = samplers
  }

  /**
   * Appends tokens to the sequence. The caller must wait for one call before it makes the next.
   *
   * @param first the index of the first token after which logits are wanted
   */
  async decode(
    tokens: readonly number[],
    first: number,
    { normaliser, candidates = CANDIDATES, allowed }: LogitsWanted
  ): Promise<PositionLogits[]> {
    const sequence = this.#sequence
    const wanted = tokens.map((_, index) => (index >= first ? true : undefined))
    const masks = tokens.slice(first).map(() => allowed())
    const samples = await sequence._decodeTokens(
      tokens,
      wanted,
      this.#id,
      sequence._tokenMeter,
      sequence._contextShift,
      (batchIndex, tokenIndex) => this.#sample(batchIndex, { normaliser, candidates, mask: masks[tokenIndex - first] }),
      sequence._takeIntervalCheckpointIfNeededAfterBatch
    )
    return samples.slice(first).map((sample) => positionLogits(sample, candidates))
  }

  async #sample(
    batchIndex: number,
    { normaliser, candidates, mask }: { normaliser: boolean; candidates: number; mask: TokenSet | undefined }
  ): Promise<NativeSample> {
    const { _ctx: context } = this.#sequence.context
    const whole = normaliser
      ? context.sampleToken(batchIndex, this.#top(0), false, false, [[], false, false, false, candidates], true)
      : undefined
    if (mask !== undefined) {
      // The library samples one position after another, so no other call uses this sampler now.
      const sampler = this.#maskedSampler(mask)
      const [token, , , logits] = await context.sampleToken(batchIndex, sampler, false, false, true, false)
      const possible = logits?.filter((_, index) => logits[index | 1] !== -Infinity)
      return [token, undefined, undefined, possible, logNormaliser(await whole)]
    }
    if (whole !== undefined) {
      const [token, , , logits] = await whole
      return [token, undefined, undefined, logits, logNormaliser(await whole)]
    }
    const best = this.#top(candidates > CANDIDATES ? AUDIT_CANDIDATES : CANDIDATES)
    return await context.sampleToken(batchIndex, best, false, false, true, false)
  }

  /**
   * Returns a sampler that sets the logits of all tokens outside the mask to minus infinity. The next call can reuse
   * the sampler for another mask.
   */
  #maskedSampler(mask: TokenSet): NativeSampler {
    const known = this.#masked.get(mask)
    if (known !== undefined) return known
    const full = this.#masked.size === MASKED_SAMPLERS
    const sampler = (full ? this.#masked.pop() : undefined) ?? newSampler(this.#sequence)
    maskWith(sampler, AUDIT_CANDIDATES, mask.others())
    this.#masked.set(mask, sampler)
    return sampler
  }

  #top(topK: number): NativeSampler {
    return this.#samplers.top(topK, this.#sequence)
  }
}

/**
 * Copies the content of another sequence. Copies happen in the order of the calls, and before any evaluation that is
 * requested later. The reason is that the library takes the lock of the context immediately. llama.cpp moves the bytes
 * at its next evaluation.
 *
 * @param length the number of tokens in the other sequence
 * @returns whether it succeeded; if not, the content of the sequence is undefined
 */
export async function copySequence(
  to: LlamaContextSequence,
  from: LlamaContextSequence,
  length: number
): Promise<boolean> {
  return await internalsOf(to)._copyStateFromOtherSequence(internalsOf(from), length)
}

/**
 * Orders the logits: highest first, lower token id first if equal. The library's order of equal logits is arbitrary.
 */
function positionLogits(sample: NativeSample | undefined, candidates: number): PositionLogits {
  const pairs = sample?.[3]
  if (pairs === undefined) throw new Error('the engine gave no logits')
  const size = Math.min(pairs.length / 2, candidates)
  const tokens = new Uint32Array(size)
  const logits = new Float32Array(size)
  for (let index = 0; index < size; index++) {
    const token = pairs[2 * index]!
    const logit = pairs[2 * index + 1]!
    let place = index
    while (place > 0 && (logits[place - 1]! < logit || (logits[place - 1] === logit && tokens[place - 1]! > token))) {
      tokens[place] = tokens[place - 1]!
      logits[place] = logits[place - 1]!
      place--
    }
    tokens[place] = token
    logits[place] = logit
  }
  const normaliser = sample?.[4]
  return normaliser === undefined ? { tokens, logits } : { tokens, logits, logNormaliser: normaliser }
}

/**
 * Returns `logNormaliser`, which `PositionLogits` defines. The sample has the sum of exp(logit - highest logit).
 */
function logNormaliser(sample: NativeSample | undefined): number | undefined {
  const [highest, weight] = [sample?.[3]?.[1], sample?.[4]]
  return highest === undefined || weight === undefined ? undefined : highest + Math.log(weight)
}
