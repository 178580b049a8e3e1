/** Draws from a Beta distribution, for Thompson sampling. */
import type { Score } from '../reputation/index.ts'

/** @param random uniform in [0, 1) */
export function drawBeta({ alpha, beta }: Score['reliability'], random: () => number): number {
  const complete = drawGamma(alpha, random)
  const failed = drawGamma(beta, random)
  // Both can underflow to 0 for tiny parameters. Such a draw carries no information.
  return complete + failed === 0 ? 0.5 : complete / (complete + failed)
}

/** Marsaglia and Tsang, "A simple method for generating gamma variables", 2000. */
function drawGamma(shape: number, random: () => number): number {
  if (shape < 1) return drawGamma(shape + 1, random) * (1 - random()) ** (1 / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = drawNormal(random)
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(1 - random()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v
  }
}

/** Box and Muller. */
function drawNormal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
