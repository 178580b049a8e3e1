/**
 * The scale of the tests: how noisy the model is, and how noisy one answer was. `honest.ts` and `HONEST_DISTANCE`
 * describe a model whose noise is `USUAL_NOISE`. The margins and distances of another model are divided by its relative
 * noise.
 */
import type { Window } from '@potluck/protocol'

import { EXCUSE, LEAST_EXCUSE, NOISE_LIMITS, USUAL_NOISE } from './constants.ts'

/**
 * Returns the noise of a model in units of `USUAL_NOISE`.
 *
 * @param noise measured by the user's own auditor, see `Scorer`. Undefined: not measured
 */
export function relativeNoise(noise: number = USUAL_NOISE): number {
  const [least, most] = NOISE_LIMITS
  return Math.min(most, Math.max(least, noise / USUAL_NOISE))
}

/**
 * Returns for each position the noise that excuses a margin there, in units of `USUAL_NOISE`. The distance of the
 * fingerprints shows it. If the distance is much smaller than the noise of the model, node and auditor compute the same
 * way, so the tokens must agree too. If the distance is larger, only the noise of the model excuses a margin.
 *
 * @param relative the noise of the model, see `relativeNoise`
 * @param windows of the same positions
 */
export function excusesOf(
  distances: readonly (number | undefined)[],
  windows: readonly Window[],
  relative: number
): number[] {
  const excuses = distances.map(() => relative)
  for (const { start, end, distance } of windows) {
    for (let position = start; position < end; position++) {
      const farthest = (EXCUSE * Math.max(distance, distances[position] ?? 0)) / USUAL_NOISE
      excuses[position] = Math.min(relative, Math.max(LEAST_EXCUSE, farthest))
    }
  }
  return excuses
}
