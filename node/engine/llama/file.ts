import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { FileIdentity } from '../child/messages.ts'

/** Large reads keep the disk busy; the hash takes 2 ms for one, so that the process stays responsive. */
const CHUNK_BYTES = 4 * 1024 * 1024

/**
 * The file's digest, from an earlier run if nothing says that the file has changed since.
 *
 * @param onProgress is told the fraction that was read
 */
export async function identify(
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
