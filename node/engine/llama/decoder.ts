/**
 * Evaluation with raw logits, on the internals of node-llama-cpp 3.22.1 (pinned exactly).
 *
 * Its public way, `controlledEvaluate`, makes a native sampler for every call, and a map of what
 * comes back: 30 us a token, a tenth of a token's time on a tiny model. This does what
 * `controlledEvaluate` does, with samplers that stay. `test/conformance/engine-llama.test.ts` holds
 * both against each other.
 */
import type { LlamaContextSequence } from 'node-llama-cpp'
import { CANDIDATES } from '@potluck/protocol'
import type { PositionLogits } from '../answer/answer.ts'
import type { TokenSet } from '../grammar/token-set.ts'
import { MaskedSamplers } from './masked-samplers.ts'

/** `[token, probabilities, confidence, logits, totalLogitWeight]`; the logits are pairs of token and logit. */
type NativeSample = [unknown, unknown, unknown, readonly number[] | undefined, number | undefined]
export interface NativeSampler {
  applyConfig: (config: object) => void
}
type LogitsFilter = boolean | [tokens: number[], max: boolean, min: boolean, selected: boolean, top: number]

interface SequenceInternals {
  _tokenMeter: unknown
  _contextShift: unknown
  _takeIntervalCheckpointIfNeededAfterBatch: unknown
  _decodeTokens: (
    tokens: readonly number[],
    logits: readonly (true | undefined)[],
    priority: number,
    meter: unknown,
    contextShift: unknown,
    sample: (batchIndex: number, tokenIndex: number) => Promise<NativeSample>,
    afterBatch: unknown
  ) => Promise<(NativeSample | undefined)[]>
  context: {
    _ctx: {
      sampleToken: (
        batchIndex: number,
        sampler: NativeSampler,
        probabilities: boolean,
        confidence: boolean,
        logits: LogitsFilter,
        totalWeight: boolean
      ) => Promise<NativeSample>
    }
  }
  model: {
    _model: object
    _llama: {
      _bindings: { AddonSampler: new (model: object) => NativeSampler }
    }
  }
}

/** With temperature 0, or none, the other filters would not be applied. */
const EVERY_OPTION = { temperature: 1, topP: 1, minP: 0, seed: 0 }

export interface LogitsWanted {
  /** Whether to sum over the whole vocabulary, which costs a sort of it. */
  normaliser: boolean
  /** The tokens whose logits count; asked for each position in order. Undefined: all. */
  allowed: () => TokenSet | undefined
}

export class Decoder {
  readonly #sequence: SequenceInternals
  readonly #id: number
  readonly #best: NativeSampler
  readonly #all: NativeSampler
  readonly #masked: MaskedSamplers

  /** @param id the sequence's, by which batches are ordered */
  constructor(sequence: LlamaContextSequence, id: number) {
    this.#sequence = sequence as unknown as SequenceInternals
    this.#id = id
    this.#best = this.#sampler(CANDIDATES)
    this.#all = this.#sampler(0)
    this.#masked = new MaskedSamplers(() => this.#sampler(CANDIDATES), { ...EVERY_OPTION, topK: CANDIDATES })
  }

  /**
   * Appends tokens to the sequence. One call at a time.
   *
   * @param first index of the first token after which logits are wanted; none before it
   */
  async decode(
    tokens: readonly number[],
    first: number,
    { normaliser, allowed }: LogitsWanted
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
      (batchIndex, tokenIndex) => this.#sample(batchIndex, normaliser, masks[tokenIndex - first]),
      sequence._takeIntervalCheckpointIfNeededAfterBatch
    )
    return samples.slice(first).map((sample) => positionLogits(sample))
  }

  async #sample(batchIndex: number, normaliser: boolean, mask: TokenSet | undefined): Promise<NativeSample> {
    const { _ctx: context } = this.#sequence.context
    const whole = normaliser
      ? context.sampleToken(batchIndex, this.#all, false, false, [[], false, false, false, CANDIDATES], true)
      : undefined
    if (mask !== undefined) {
      // The library samples one position after another, so that no sampler is at work here.
      const sampler = this.#masked.of(mask)
      const [token, , , logits] = await context.sampleToken(batchIndex, sampler, false, false, true, false)
      const possible = logits?.filter((_, index) => logits[index | 1] !== -Infinity)
      return [token, undefined, undefined, possible, logNormaliser(await whole)]
    }
    if (whole !== undefined) {
      const [token, , , logits] = await whole
      return [token, undefined, undefined, logits, logNormaliser(await whole)]
    }
    return await context.sampleToken(batchIndex, this.#best, false, false, true, false)
  }

  #sampler(topK: number): NativeSampler {
    const { _model: model, _llama: llama } = this.#sequence.model
    const sampler = new llama._bindings.AddonSampler(model)
    sampler.applyConfig({ ...EVERY_OPTION, topK })
    return sampler
  }
}

/** Best first, ties to the lower id: the library's order of equal logits is whatever its sort left. */
function positionLogits(sample: NativeSample | undefined): PositionLogits {
  const pairs = sample?.[3]
  if (pairs === undefined) throw new Error('the engine gave no logits')
  const size = Math.min(pairs.length / 2, CANDIDATES)
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

/** Of the whole vocabulary, from the highest logit and the sum of all weights relative to it. */
function logNormaliser(sample: NativeSample | undefined): number | undefined {
  const [highest, weight] = [sample?.[3]?.[1], sample?.[4]]
  return highest === undefined || weight === undefined ? undefined : highest + Math.log(weight)
}
