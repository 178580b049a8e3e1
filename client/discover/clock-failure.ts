import { describeRefused, describeSkew, PotluckError, SET_THE_CLOCK, type ClockComparison } from '@potluck/protocol'

/** The failure of a lookup that found no usable node, if a wrong clock is the reason. */
export function clockFailure(clocks: Pick<ClockComparison, 'skew' | 'refused'>): PotluckError | undefined {
  const refused = clocks.refused()
  if (refused === undefined) return undefined
  const skew = clocks.skew()
  const cause = skew === undefined ? describeRefused(refused) : describeSkew(skew)
  const remedy = skew === undefined ? `if this machine's clock is wrong, ${SET_THE_CLOCK}` : SET_THE_CLOCK
  return new PotluckError('no_providers', `no usable node was found: ${cause}`, { remedy })
}
