/** Which device computes the model. Pure, so that tests need no GPU. */
import type { EngineBackend } from '../interface.ts'

export interface Loaded {
  /** The library's backend: "cuda", "metal", "vulkan", or false for the processor. */
  gpu: string | false
  /** Names of the GPUs. Empty if the backend's drivers are installed, but find no device. */
  devices: readonly string[]
  /** Layers on the GPUs, and all layers of the model. */
  gpuLayers: number
  layers: number
  /** Memory of all GPUs. */
  vramBytes: number
}

/** Returns the GPU only if a device exists and holds a part of the model. Otherwise the processor computes. */
export function placementOf({ gpu, devices, gpuLayers, layers, vramBytes }: Loaded): Placement {
  if (gpu === false || devices.length === 0 || gpuLayers === 0) return { accelerator: 'cpu' }
  return { accelerator: gpu, device: devices.join(', '), vramBytes, layers, gpuLayers: Math.min(gpuLayers, layers) }
}

type Placement = Pick<EngineBackend, 'accelerator' | 'device' | 'vramBytes' | 'layers' | 'gpuLayers'>
