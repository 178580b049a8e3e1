import type { LlamaContextSequence } from 'node-llama-cpp'
import { describe, expect, it } from 'vitest'
import {
  checkShapes,
  checkVersion,
  PINNED_VERSION,
  UnsupportedLibrary
} from '../../../node/engine/llama/internals/pinned.ts'
import manifest from '../../../node/package.json' with { type: 'json' }

/** The private parts of a sequence, as functions that do nothing. */
const internals = (): Record<string, unknown> => {
  const noop = (): void => undefined
  class AddonSampler {
    applyConfig(): void {}
  }
  return {
    _tokenMeter: {},
    _contextShift: {},
    _takeIntervalCheckpointIfNeededAfterBatch: noop,
    _decodeTokens: noop,
    _copyStateFromOtherSequence: noop,
    context: { _ctx: { sampleToken: noop } },
    model: { _model: {}, _llama: { _bindings: { AddonSampler } } }
  }
}
const check = (sequence: object): void => checkShapes(sequence as LlamaContextSequence)

describe('the check of node-llama-cpp', () => {
  it('accepts the version in package.json only', () => {
    expect(PINNED_VERSION).toBe(manifest.dependencies['node-llama-cpp'])
    expect(() => checkVersion(PINNED_VERSION)).not.toThrow()
    expect(() => checkVersion('3.23.0')).toThrow(UnsupportedLibrary)
    expect(() => checkVersion('3.23.0')).toThrow(
      `Cannot use the installed node-llama-cpp: its version is 3.23.0. This engine needs exactly version ${PINNED_VERSION}`
    )
  })

  it('names the part that a sequence lacks', () => {
    expect(() => check(internals())).not.toThrow()
    expect(() => check({ ...internals(), _decodeTokens: undefined })).toThrow('no function at _decodeTokens')
    expect(() => check({ ...internals(), _tokenMeter: null })).toThrow('no object at _tokenMeter')
    expect(() => check({ ...internals(), context: {} })).toThrow('no function at context._ctx.sampleToken')
  })
})
