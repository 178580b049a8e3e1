import type { NodeSpec } from '../messages.ts'

const honest = (name: string): NodeSpec => ({ name, role: 'node', crumb: 'Q8_0', slots: 2 })

/**
 * The nodes of the scenario. All claim to serve crumb-Q8_0.
 *
 * @param gpu whether one of the honest nodes computes on a GPU
 */
export const nodesOf = (gpu: boolean): readonly NodeSpec[] => [
  honest('honest-1'),
  honest('honest-2'),
  gpu ? { ...honest('honest-gpu'), gpu } : honest('honest-3'),
  { ...honest('impostor'), crumb: 'Q4_0', malicious: 'impostor' },
  { ...honest('noise'), malicious: 'noise' },
  { ...honest('slow'), malicious: 'slow' },
  { ...honest('cutter'), malicious: 'cutter' }
]
