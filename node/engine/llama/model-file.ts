/** The identity of a model file, and the properties that the file states. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { GgufFileType, type GgufFileInfo } from 'node-llama-cpp'
import type { FileIdentity } from '../child/messages.ts'
import type { EngineModel } from '../interface.ts'

/** Large reads keep the disk busy. Hashing one chunk takes 2 ms, so the process still responds to messages. */
const CHUNK_BYTES = 4 * 1024 * 1024

/**
 * Hashes the file, unless it has not changed since an earlier hash.
 *
 * @param onProgress called with the fraction that is read
 */
export async function identifyFile(
  path: string,
  known: FileIdentity | undefined,
  onProgress: (fraction: number) => void
): Promise<FileIdentity> {
  const { size, mtimeMs } = await stat(path)
  if (known !== undefined && known.sizeBytes === size && known.modifiedMs === mtimeMs) return known
  const hash = createHash('sha256')
  let read = 0
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    read += chunk.length
    onProgress(read / size)
  }
  return { digest: new Uint8Array(hash.digest()), sizeBytes: size, modifiedMs: mtimeMs }
}

export function modelFacts(file: GgufFileInfo): Pick<EngineModel, 'architecture' | 'parameters' | 'quantization'> {
  return {
    architecture: file.metadata.general.architecture,
    parameters: (file.fullTensorInfo ?? []).reduce((sum, { dimensions }) => sum + elements(dimensions), 0),
    quantization: quantization(file)
  }
}

function elements(dimensions: readonly (number | bigint)[]): number {
  return dimensions.reduce<number>((product, size) => product * Number(size), 1)
}

/** Returns "Q4_K_M" for `MOSTLY_Q4_K_M`, "F32" for `ALL_F32`. */
function quantization(file: GgufFileInfo): string {
  const type = file.metadata.general.file_type
  const name = type === undefined ? undefined : GgufFileType[type]
  return name === undefined ? 'unknown' : name.replace(/^(ALL|MOSTLY)_/, '')
}
