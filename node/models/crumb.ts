/**
 * The embedded model crumb: the paths, digests and sizes of its files.
 *
 * They come from `crumb.json`, which the training recipe writes beside the files.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A GGUF file in the package. */
export interface EmbeddedModel {
  /** The model's name in the network: `user/repo:QUANT`. */
  readonly name: string
  readonly quantization: 'Q8_0' | 'Q4_0'
  readonly fileName: string
  /** Absolute path of the file, beside this module. */
  readonly path: string
  /** Hexadecimal SHA-256 of the file: the model's digest. */
  readonly sha256: string
  readonly bytes: number
}

type CrumbJson = Record<EmbeddedModel['quantization'], Pick<EmbeddedModel, 'fileName' | 'sha256' | 'bytes'>>

const facts = JSON.parse(readFileSync(new URL('crumb.json', import.meta.url), 'utf8')) as CrumbJson

function describe(quantization: EmbeddedModel['quantization']): EmbeddedModel {
  const { fileName, sha256, bytes } = facts[quantization]
  const path = fileURLToPath(new URL(fileName, import.meta.url))
  return { name: `potluck/crumb:${quantization}`, quantization, fileName, path, sha256, bytes }
}

/** crumb as nodes usually serve it (Q8_0), and the same weights with fewer bits (Q4_0). */
export const crumb: Readonly<Record<EmbeddedModel['quantization'], EmbeddedModel>> = {
  Q8_0: describe('Q8_0'),
  Q4_0: describe('Q4_0')
}
