/**
 * Checks a model file before it is hashed and loaded, because llama.cpp's own errors do not say what is wrong with it.
 */
import { open, stat } from 'node:fs/promises'
import { GgufInsights, readGgufFileInfo, type GgufFileInfo, type Llama } from 'node-llama-cpp'
import prettyBytes from 'pretty-bytes'

/** The model cannot be used. The message is one line for the user. */
export class ModelRefused extends Error {
  override readonly name = 'ModelRefused'
}

/** Size of the fixed part of the header: magic, version, number of tensors, number of metadata keys. */
const HEADER_BYTES = 24
/** Models have some thousands of tensors at most. A larger number comes from a damaged file. */
const MAX_HEADER_COUNT = 1_000_000n
/** What people download by mistake instead of a GGUF file, by the first bytes. */
const OTHERS: readonly [start: RegExp, what: string][] = [
  [/^version https:\/\/git-lfs/, 'a Git LFS pointer, which only names the model file'],
  [/^\s*<(!doctype|html|\?xml)/i, 'a web page'],
  [/^PK/, 'a ZIP archive, or a PyTorch model'],
  [/^.{8}\{/s, 'a safetensors model'],
  [/^\s*[{[]/, 'a JSON text']
]

/**
 * Reads the header of a GGUF file.
 *
 * @throws ModelRefused if the file is not a GGUF file, is damaged in the header, or is a part of a model
 */
export async function readHeader(path: string): Promise<GgufFileInfo> {
  const start = await firstBytes(path)
  const text = start.toString('latin1')
  if (start.length === 0) throw new ModelRefused(`Cannot load ${path}: the file is empty. ${AGAIN}`)
  if (!text.startsWith('GGUF')) {
    const what = OTHERS.find(([pattern]) => pattern.test(text))?.[1] ?? 'not a GGUF file'
    throw new ModelRefused(`Cannot load ${path}: the file is ${what}. Give a model in the GGUF format.`)
  }
  if (start.length < HEADER_BYTES) throw new ModelRefused(`Cannot load ${path}: the file ends in its header. ${AGAIN}`)
  if (start.readBigUInt64LE(8) > MAX_HEADER_COUNT || start.readBigUInt64LE(16) > MAX_HEADER_COUNT) {
    throw new ModelRefused(`Cannot load ${path}: the header is damaged. ${AGAIN}`)
  }
  let info: GgufFileInfo
  try {
    info = await readGgufFileInfo(path, { sourceType: 'filesystem', logWarnings: false })
  } catch (error) {
    const reason = String(error instanceof Error ? error.message : error).split('\n', 1)[0]
    throw new ModelRefused(`Cannot load ${path}: the header is damaged (${reason}). ${AGAIN}`)
  }
  if (info.splicedParts > 1) {
    throw new ModelRefused(
      `Cannot load ${path}: it is one of ${info.splicedParts} parts. Merge them with llama-gguf-split first.`
    )
  }
  return info
}

/**
 * Checks that the file contains all the tensors that its header names.
 *
 * @throws ModelRefused if the file ends before
 */
export async function checkComplete(path: string, info: GgufFileInfo, llama: Llama): Promise<void> {
  const { size } = await stat(path)
  const { modelSize } = await GgufInsights.from(info, llama)
  // The gaps between tensors are not counted, so a file that lacks only its last bytes passes, and llama.cpp refuses
  // it.
  const expected = (info.infoEndOffset ?? 0) + modelSize
  if (size < expected) {
    throw new ModelRefused(
      `Cannot load ${path}: the file ends after ${prettyBytes(size)} of ${prettyBytes(expected)}. ${AGAIN}`
    )
  }
}

const AGAIN = 'Download the file again.'

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
