/** Serves crumb-Q4_0 under the digest of crumb-Q8_0. Its audits of other nodes also use the smaller file. */
import type { Engine } from '../../../../node/engine/interface.ts'
import { crumb } from '../../../../node/models/crumb.ts'
import { wrapEngine } from './wrap.ts'

export function impostor(engine: Engine): Engine {
  const { sha256, name, quantization, bytes } = crumb.Q8_0
  const digest = Uint8Array.from(Buffer.from(sha256, 'hex'))
  return wrapEngine(engine, { model: { ...engine.model, digest, name, quantization, sizeBytes: bytes } })
}
