/** Serves a file of half the size and signs for the whole one. It audits others with the small one too. */
import type { Engine } from '../../../../node/engine/interface.ts'
import { crumb } from '../../../../node/models/crumb.ts'
import { disguise } from './disguise.ts'

export function impostor(engine: Engine): Engine {
  const { sha256, name, quantization, bytes } = crumb.Q8_0
  const digest = Uint8Array.from(Buffer.from(sha256, 'hex'))
  return disguise(engine, { model: { ...engine.model, digest, name, quantization, sizeBytes: bytes } })
}
