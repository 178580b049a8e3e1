/** Creates folders for data, and describes why a folder cannot be written. */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Its message is what `describeDisk` returns. */
class DataFolderError extends Error {
  override readonly name = 'DataFolderError'
}

/**
 * Creates a folder, and the folders above it, with access for their owner only.
 *
 * @throws DataFolderError in one line, with the reason and the remedy
 */
export async function createDataFolder(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new DataFolderError(describeDisk(directory, (await reasonOf(directory)) ?? error), { cause: error })
  }
}

/** With `recursive`, Node reports ENOENT on a read-only file system. Without it, Node reports the reason. */
async function reasonOf(directory: string): Promise<unknown> {
  for (let folder = directory; ; folder = dirname(folder)) {
    const error: unknown = await mkdir(folder, { mode: 0o700 }).then(
      () => undefined,
      (cause: unknown) => cause
    )
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!isMissing || dirname(folder) === folder) return error
  }
}

/** Describes why a folder cannot be written, in one line with the remedy. */
export function describeDisk(directory: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof DataFolderError) return message
  if (/ENOSPC|EDQUOT|no space left|quota exceeded|disk is full/i.test(message)) {
    return `cannot write to ${directory}: the disk is full; delete files on this disk, or choose another folder with --data-dir`
  }
  if (/EROFS|read-only file system/i.test(message)) {
    return `cannot write to ${directory}: the file system is read-only; make it writable, or choose another folder with --data-dir`
  }
  return `cannot write to ${directory}: ${message.replaceAll(/\s*\n\s*/g, ' ')}; check the folder, or choose another one with --data-dir`
}
