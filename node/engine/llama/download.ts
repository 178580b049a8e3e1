/** Fetches model files with the library's downloader: parallel, resumed where it stopped. */
import { mkdir } from 'node:fs/promises'

import { resolveModelFile } from 'node-llama-cpp'

export interface DownloadOptions {
  directory: string
  onProgress: (downloadedBytes: number, totalBytes: number) => void
  signal: AbortSignal
}

/**
 * Downloads a model that is not in the directory yet. An interrupted download leaves its part there.
 *
 * @param uri `hf:user/repo:QUANT`, `hf:user/repo/file.gguf`, or a URL
 * @returns the file's path
 * @throws Error of the library or the network; the signal's reason
 */
export async function downloadModel(uri: string, { directory, onProgress, signal }: DownloadOptions): Promise<string> {
  await mkdir(directory, { recursive: true })
  const downloading = resolveModelFile(uri, {
    directory,
    cli: false,
    deleteTempFileOnCancel: false,
    signal,
    onProgress: ({ downloadedSize, totalSize }) => onProgress(downloadedSize, totalSize)
  })
  // The library hears the signal, but goes on waiting for a server that went silent.
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([downloading, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
    downloading.catch(() => undefined)
  }
}

/** The path of a model that was downloaded into the directory before, found without the network. */
export async function findDownloaded(uri: string, directory: string): Promise<string | undefined> {
  try {
    return await resolveModelFile(uri, { directory, download: false, cli: false })
  } catch {
    // The library's way of saying that there is none.
    return undefined
  }
}
