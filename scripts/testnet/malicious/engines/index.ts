/**
 * The engines of malicious nodes. Each wraps the real engine. Only the testnet can use them.
 */
import type { Engine } from '../../../../node/engine/interface.ts'
import { cutter } from './cutter.ts'
import { impostor } from './impostor.ts'
import { noise } from './noise.ts'
import { slow } from './slow.ts'

export type MaliciousKind = 'impostor' | 'noise' | 'slow' | 'cutter'

export const MALICIOUS_ENGINES: Readonly<Record<MaliciousKind, (engine: Engine) => Engine>> = {
  impostor,
  noise,
  slow,
  cutter
}
