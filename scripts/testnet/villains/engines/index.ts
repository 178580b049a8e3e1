/** Engines that cheat, around the real one. The product has no such option: only a testnet's members wear them. */
import type { Engine } from '../../../../node/engine/interface.ts'
import { cutter } from './cutter.ts'
import { impostor } from './impostor.ts'
import { noise } from './noise.ts'
import { slow } from './slow.ts'

export type Villain = 'impostor' | 'noise' | 'slow' | 'cutter'

export const VILLAINS: Readonly<Record<Villain, (engine: Engine) => Engine>> = { impostor, noise, slow, cutter }
