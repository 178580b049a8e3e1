/** Native samplers that see only some tokens: all others are pushed to minus infinity. */
import { MASKED_SAMPLERS } from '../constants.ts'
import type { TokenSet } from '../grammar/token-set.ts'
import type { NativeSampler } from './decoder.ts'

interface Masked {
  mask: TokenSet
  sampler: NativeSampler
}

export class MaskedSamplers {
  readonly #make: () => NativeSampler
  readonly #options: object
  /** The least recently used first. */
  readonly #masked: Masked[] = []

  /** @param options of every sampler, beside its mask */
  constructor(make: () => NativeSampler, options: object) {
    this.#make = make
    this.#options = options
  }

  /** To be used at once: the next call may set up the same sampler for another mask. */
  of(mask: TokenSet): NativeSampler {
    const index = this.#masked.findIndex((entry) => entry.mask === mask)
    const [known] = index < 0 ? [] : this.#masked.splice(index, 1)
    const entry = known ?? { mask, sampler: this.#reused(mask) }
    this.#masked.push(entry)
    return entry.sampler
  }

  #reused(mask: TokenSet): NativeSampler {
    const full = this.#masked.length === MASKED_SAMPLERS
    const sampler = (full ? this.#masked.shift()?.sampler : undefined) ?? this.#make()
    const tokenBiasKeys = mask.others()
    const tokenBiasValues = new Float32Array(tokenBiasKeys.length).fill(-Infinity)
    sampler.applyConfig({ ...this.#options, tokenBiasKeys, tokenBiasValues })
    return sampler
  }
}
