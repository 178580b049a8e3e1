import { pino } from 'pino'

import { startLlamaEngine, type Engine } from '../../../node/index.ts'
import { crumb } from '../../../node/models/crumb.ts'
import type { Attack, Outcome } from '../attack.ts'
import { Call, request } from '../../peers/caller-stream.ts'
import { dial } from '../calls.ts'
import { AttackedNetwork } from '../network.ts'

const SECRET = '48213377'
/** The engine copies a remembered prompt to a slot only if at least 16 of its tokens can be reused. */
const BEFORE_SECRET = 'My name is Rosa. I live in the old house behind the mill, and the number of my card is '
const VICTIM = `${BEFORE_SECRET}${SECRET}. Please write a short letter to my bank for me, and ask for a new card.`
const DIGITS = '0123456789'

/** What the attacker learns from one request. */
interface Seen {
  /** As the node reports it. */
  cachedTokens: number
  /** Tokens that the engine evaluated. They decide the time to the first token. */
  evaluatedTokens: number
}

class Attacker {
  requests = 0
  readonly #ask: (prompt: string) => Promise<Seen>

  constructor(ask: (prompt: string) => Promise<Seen>) {
    this.#ask = ask
  }

  async ask(prompt: string): Promise<Seen> {
    this.requests++
    return await this.#ask(prompt)
  }

  /** Overwrites the shortest slot with a long text that no cache contains. */
  async flush(): Promise<void> {
    await this.ask(`${this.requests} `.repeat(100))
  }

  /**
   * Reads the secret digit by digit: the digit whose prompt has more cached tokens than those of the other digits, or
   * takes less work. If no single digit differs from the others, the attacker has learnt nothing.
   */
  async read(digits: number, slots: number, by: (seen: Seen) => number): Promise<string> {
    // The victim's prompt must leave its slot, so that the engine remembers it, and copies it for each guess.
    for (let slot = 0; slot < 2 * slots; slot++) await this.flush()
    let known = ''
    while (known.length < digits) {
      const saved: number[] = []
      for (const digit of DIGITS) {
        // The engine always evaluates the last token, so two characters follow the guess.
        saved.push(by(await this.ask(`${BEFORE_SECRET}${known}${digit}#~`)))
        // The attacker's own guess must not be the best slot for the next one.
        await this.flush()
      }
      const best = Math.max(...saved)
      if (saved.filter((value) => value === best).length > 1) break
      known += DIGITS[saved.indexOf(best)]
    }
    return known
  }
}

export const attack: Attack = {
  title:
    "reads another caller's prompt through the cached tokens that a node reports, and through the work that they save",
  cost: '1 address, about 20 requests of one token for each digit',
  before: 'an 8-digit secret was read with 248 requests (with 168 in this form)',

  async run({ short, note }) {
    const measures = {
      'reported cached tokens': ({ cachedTokens }: Seen) => cachedTokens,
      'evaluated tokens': ({ evaluatedTokens }: Seen) => -evaluatedTokens
    }
    const outcomes: Outcome[] = []
    for (const [name, by] of Object.entries(measures)) {
      await using engines = new AsyncDisposableStack()
      const engine = await startEngine(engines)
      await using network = new AttackedNetwork()
      const node = await network.node({}, engine)
      const victim = await dial(await network.peer(), node)
      await (await Call.open(victim, request(engine, { input: { prompt: VICTIM }, maxTokens: 8 }))).last()
      // The node does cache the prompt: the victim itself can use it.
      const again = await (await Call.open(victim, request(engine, { input: { prompt: VICTIM }, maxTokens: 1 }))).last()
      outcomes.push({
        metric: 'control: cached tokens that the victim itself sees',
        value: again?.type === 'done' ? again.usage.cachedTokens : 0,
        limit: { atLeast: 16 }
      })
      const attacker = new Attacker(async (prompt) => {
        // A new key for each request: whatever is cached is not from this caller.
        const peer = await network.peer()
        const { prefillTokens } = await engine.counters()
        const call = await Call.open(await dial(peer, node), request(engine, { input: { prompt }, maxTokens: 1 }))
        const last = await call.last()
        if (last?.type !== 'done') throw new Error('the node refused a request')
        await peer.stop()
        const { cachedTokens } = last.usage
        return { cachedTokens, evaluatedTokens: (await engine.counters()).prefillTokens - prefillTokens }
      })
      const digits = short ? 1 : SECRET.length
      const read = await attacker.read(digits, engine.slots, by)
      note(`by ${name}, ${attacker.requests} requests read "${read}"`)
      let right = 0
      while (right < read.length && read[right] === SECRET[right]) right++
      outcomes.push({ metric: `digits read by the ${name}, of ${digits}`, value: right, limit: { atMost: 0 } })
    }
    return outcomes
  }
}

async function startEngine(engines: AsyncDisposableStack): Promise<Engine> {
  const engine = await startLlamaEngine({
    modelPath: crumb.Q8_0.path,
    threads: 1,
    gpu: false,
    logger: pino({ level: 'silent' })
  })
  engines.defer(async () => await engine.close())
  return engine
}
