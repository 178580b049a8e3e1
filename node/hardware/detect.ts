/** What the node computes on, as far as the operating system and the engine tell. */
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os'

import { MAX_CARD_STRING, type Hardware } from '@potluck/protocol'

import type { EngineBackend } from '../engine/interface.ts'

export function detectHardware({ accelerator }: EngineBackend): Hardware {
  const processor = cpus()[0]?.model.trim() ?? ''
  return {
    accelerator,
    device: processor === '' ? arch() : processor.slice(0, MAX_CARD_STRING),
    vramBytes: 0,
    ramBytes: totalmem(),
    cores: availableParallelism(),
    os: `${platform()} ${arch()}`
  }
}
