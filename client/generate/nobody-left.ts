/** What a caller hears when no node completed the request. */
import { formatDigest, PotluckError } from '@potluck/protocol'

import type { Want } from '../discover/want.ts'
import type { Refusal } from '../select/index.ts'

export interface NotAsked {
  /** Nodes that the gate held back, by peer id. */
  refused: ReadonlyMap<string, Refusal>
  /** How long all others want to be left alone, milliseconds. */
  restingMs: number | undefined
}

/** The most telling failure: a full queue passes, a caller's mistake stays. */
export function nobodyLeft(
  want: Want,
  failures: readonly PotluckError[],
  { refused, restingMs }: NotAsked
): PotluckError {
  const telling = failures.find(({ retryable }) => !retryable) ?? failures.find(isBusy) ?? failures.at(-1)
  if (telling === undefined && restingMs !== undefined) {
    return new PotluckError('busy', `all nodes with ${describe(want)} are busy`, { retryAfterMs: restingMs })
  }
  if (telling === undefined) {
    const reasons = [...Map.groupBy(refused.values(), (refusal) => refusal)]
    const others = reasons.map(([refusal, { length }]) => `${length} ${SAYS[refusal]}`).join(', ')
    const nobody = `no node was found that can serve this request (${describe(want)})`
    return new PotluckError('no_providers', others === '' ? nobody : `${nobody}: ${others}`)
  }
  const nodes = new Set(failures.map(({ peer }) => peer)).size
  if (nodes === 1) return telling
  const { code, message, retryAfterMs } = telling
  return new PotluckError(code, `${nodes} nodes failed; ${message}`, {
    cause: telling,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })
}

/** Refused for now: the same node may take the request later. */
export function isBusy({ code }: PotluckError): boolean {
  return code === 'busy' || code === 'rate_limited'
}

const SAYS: Readonly<Record<Refusal, string>> = {
  banned: 'banned for serving another model',
  quarantined: 'quarantined by audits',
  draining: 'leaving',
  not_suitable: 'without what it needs',
  context_too_short: 'with too short a context',
  not_trusted: 'not among the trusted',
  not_local: "not the user's own"
}

function describe(want: Want): string {
  switch (want.kind) {
    case 'auto':
      return 'any model'
    case 'name':
      return `model ${want.name}`
    case 'digest':
      return `model ${formatDigest(want.digest)}`
  }
}
