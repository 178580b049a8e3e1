/** What happens to each request, from the gateway's events. */
import type { PotluckEvent } from '../api/potluck.ts'

/** A step of a request. `tokens` is not a step: it counts. */
export type Step = Exclude<PotluckEvent, { type: 'tokens' }>

export interface Life {
  answer: string
  startedAt: number
  model: string | undefined
  steps: readonly Step[]
  /** The node that generates now, or that generated last. */
  peer: string | undefined
  /** Nodes that were asked and have not answered. */
  asked: readonly string[]
  tokens: number
  /** The tokens of each of the last reports. The gateway reports up to 4 times a second. */
  pace: readonly number[]
  isRunning: boolean
}

/** Requests that the page shows. */
const MAX_LIVES = 12
const MAX_STEPS = 40
const MAX_PACE = 60

/** Adds an event. The newest request is first. */
export function withEvent(lives: readonly Life[], event: PotluckEvent): readonly Life[] {
  const known = lives.find(({ answer }) => answer === event.answer)
  // An audit can come long after the request. Nothing else is known of such a request.
  if (known === undefined && event.type === 'audited') return lives
  const next = advance(known ?? begin(event), event)
  if (known !== undefined) return lives.map((life) => (life === known ? next : life))
  return [next, ...lives].slice(0, MAX_LIVES)
}

function begin({ answer, at }: PotluckEvent): Life {
  return {
    answer,
    startedAt: at,
    model: undefined,
    steps: [],
    peer: undefined,
    asked: [],
    tokens: 0,
    pace: [],
    isRunning: true
  }
}

function advance(life: Life, event: PotluckEvent): Life {
  if (event.type === 'tokens') {
    const pace = [...life.pace, event.count].slice(-MAX_PACE)
    return { ...life, peer: event.peer, tokens: life.tokens + event.count, pace }
  }
  const next = { ...life, steps: [...life.steps, event].slice(-MAX_STEPS) }
  switch (event.type) {
    case 'picked':
      return { ...next, model: event.model, asked: [...life.asked, event.peer] }
    case 'hedged':
      return { ...next, asked: [...life.asked, event.peer] }
    case 'moved':
      return { ...next, asked: [...life.asked.filter((peer) => peer !== event.from), event.peer] }
    case 'firstToken':
      return { ...next, peer: event.peer, asked: [] }
    case 'resumed':
      return { ...next, peer: event.peer, asked: [] }
    case 'finished':
      return { ...next, model: event.model, peer: event.peer, tokens: event.tokens, asked: [], isRunning: false }
    case 'failed':
      return { ...next, asked: [], isRunning: false }
    case 'audited':
      return next
  }
}

/** How many nodes failed so far. A move to a faster node is not a failover. */
export function failoversOf({ steps }: Life): number {
  return steps.filter((step) => step.type === 'resumed' || (step.type === 'moved' && step.code !== undefined)).length
}
