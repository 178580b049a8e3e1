/** Detects the hardware that the node computes on, from the operating system and the engine. */
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os'

import { MAX_CARD_STRING, type Hardware } from '@potluck/protocol'

import type { EngineBackend } from '../engine/interface.ts'

/** The device is the GPU if the engine uses one, otherwise the processor. */
export function detectHardware({ accelerator, device, vramBytes, gpuLayers, layers }: EngineBackend): Hardware {
  const name = device ?? cpus()[0]?.model.trim() ?? ''
  return {
    accelerator,
    device: name === '' ? arch() : name.slice(0, MAX_CARD_STRING),
    vramBytes: vramBytes ?? 0,
    ramBytes: totalmem(),
    cores: availableParallelism(),
    os: `${platform()} ${arch()}`,
    ...(gpuLayers === undefined || layers === undefined ? {} : { gpuLayers, layers })
  }
}
