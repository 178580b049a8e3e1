import { fork } from 'node:child_process'

/** The runtime of a GPU takes seconds to load. A driver that hangs must not delay the start longer than this. */
const PROBE_TIMEOUT_MS = 15_000

export interface GpuProbe {
  /** The backend that the prebuilt binaries can load here: "cuda", "metal", "vulkan", or "cpu". */
  backend: string
  /** Names of the GPUs. Empty if the backend's drivers find no device. */
  devices: readonly string[]
  /** Free memory of the GPUs in bytes. */
  freeBytes: number
}

/**
 * Returns what the engine could use here; undefined if llama.cpp cannot be loaded.
 *
 * The query runs in a child process (this same file), because a process that queries a GPU takes some of the GPU's
 * memory until it ends.
 */
export async function probeGpu(): Promise<GpuProbe | undefined> {
  const { promise, resolve } = Promise.withResolvers<GpuProbe | undefined>()
  const child = fork(new URL(import.meta.url), {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    timeout: PROBE_TIMEOUT_MS
  })
  child.on('message', (found) => resolve(found as GpuProbe))
  child.on('close', () => resolve(undefined))
  child.on('error', () => resolve(undefined))
  return await promise
}

/** Returns the free memory of the GPUs in bytes; 0 if the prebuilt binaries support none of them. */
export async function freeVideoMemory(): Promise<number> {
  return (await probeGpu())?.freeBytes ?? 0
}

if (import.meta.main) {
  // The daemon imports this file too, and does not need the library.
  const { getLlama } = await import('node-llama-cpp')
  const llama = await getLlama({ gpu: 'auto', build: 'never', skipDownload: true })
  const devices = llama.gpu === false ? [] : await llama.getGpuDeviceNames()
  const freeBytes = devices.length === 0 ? 0 : (await llama.getVramState()).free
  process.send?.({ backend: llama.gpu === false ? 'cpu' : llama.gpu, devices, freeBytes }, () => process.exit())
}
