/**
 * The private parts of node-llama-cpp on which this folder depends, and the check that they exist.
 *
 * These parts can change with any release, so `package.json` pins the exact version. The engine runs two checks when it
 * starts: `checkVersion` before it loads the model, and `checkShapes` once it has a context.
 */
import type { LlamaContextSequence } from 'node-llama-cpp'

/** The same as in `node/package.json`. */
export const PINNED_VERSION = '3.22.1'

/** The installed node-llama-cpp does not fit this folder. The message is one line for the user. */
export class UnsupportedLibrary extends Error {
  override readonly name = 'UnsupportedLibrary'
}

/** `[token, probabilities, confidence, logits, totalLogitWeight]`. `logits` is a list: token, its logit, token, ... */
export type NativeSample = [unknown, unknown, unknown, readonly number[] | undefined, number | undefined]

export interface NativeSampler {
  applyConfig: (config: object) => void
}

/** Which logits the library returns: all of the sampler's, or the `top` ones of the vocabulary. */
export type LogitsFilter = boolean | [tokens: number[], max: boolean, min: boolean, selected: boolean, top: number]

export interface SequenceInternals {
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
  _copyStateFromOtherSequence: (from: SequenceInternals, length: number) => Promise<boolean>
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

/** Paths from a sequence, with the type of the value there. */
const SHAPES: readonly (readonly [path: string, type: 'object' | 'function'])[] = [
  ['_tokenMeter', 'object'],
  ['_contextShift', 'object'],
  ['_takeIntervalCheckpointIfNeededAfterBatch', 'function'],
  ['_decodeTokens', 'function'],
  ['_copyStateFromOtherSequence', 'function'],
  ['context._ctx.sampleToken', 'function'],
  ['model._model', 'object'],
  ['model._llama._bindings.AddonSampler', 'function'],
  ['model._llama._bindings.AddonSampler.prototype.applyConfig', 'function']
]

/** @throws UnsupportedLibrary */
export function checkVersion(version: string): void {
  if (version !== PINNED_VERSION) throw unsupported(`its version is ${version}`)
}

/** @throws UnsupportedLibrary */
export function checkShapes(sequence: LlamaContextSequence): void {
  for (const [path, type] of SHAPES) {
    const value = path.split('.').reduce<unknown>((holder, key) => (holder as Record<string, unknown>)?.[key], sequence)
    if (typeof value !== type || value === null) throw unsupported(`a sequence has no ${type} at ${path}`)
  }
}

/** Returns the sequence with the type of its private members. `checkShapes` has checked them. */
export function internalsOf(sequence: LlamaContextSequence): SequenceInternals {
  return sequence as unknown as SequenceInternals
}

function unsupported(reason: string): UnsupportedLibrary {
  return new UnsupportedLibrary(
    `Cannot use the installed node-llama-cpp: ${reason}. This engine needs exactly version ${PINNED_VERSION}; install it.`
  )
}
