/** Who takes part. */
import type { NodeSpec } from '../messages.ts'

const honest = (name: string): NodeSpec => ({ name, role: 'node', crumb: 'Q8_0', slots: 2 })

/** All say that they serve crumb-Q8_0. */
export const ROSTER: readonly NodeSpec[] = [
  honest('honest-1'),
  honest('honest-2'),
  honest('honest-3'),
  { ...honest('impostor'), crumb: 'Q4_0', villain: 'impostor' },
  { ...honest('noise'), villain: 'noise' },
  { ...honest('slow'), villain: 'slow' },
  { ...honest('cutter'), villain: 'cutter' }
]
