import { expect, test } from 'vitest'

import type { EngineEvent, GenerateJob, Generation } from '../../../node/index.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { measureRates } from '../../../node/hardware/measure.ts'

/** An engine that reports these times for each token. */
class TimedEngine extends ScriptedEngine {
  readonly #prefillMs: number
  readonly #decodeMs: number

  constructor(prefillMs: number, decodeMs: number) {
    super({ reply: () => 'x'.repeat(100) })
    this.#prefillMs = prefillMs
    this.#decodeMs = decodeMs
  }

  override generate(job: GenerateJob, signal?: AbortSignal): Generation {
    const inner = super.generate(job, signal)
    const timed = (event: EngineEvent): EngineEvent => {
      const prefillMs = job.promptTokens.length * this.#prefillMs
      if (event.type === 'prefill') return { ...event, prefillMs, cachedTokens: 0 }
      return event.type === 'done' ? { ...event, decodeMs: (job.maxTokens - 1) * this.#decodeMs } : event
    }
    return {
      grant: (tokens) => inner.grant(tokens),
      async *[Symbol.asyncIterator](): AsyncGenerator<EngineEvent> {
        for await (const event of inner) yield timed(event)
      }
    }
  }
}

const running = new AbortController().signal

test("the rates follow from the engine's times", async () => {
  const { prefillTokensPerSecond, decodeTokensPerSecond } = await measureRates(new TimedEngine(0.5, 20), running)
  expect(prefillTokensPerSecond).toBeCloseTo(2000)
  expect(decodeTokensPerSecond).toBeCloseTo(50)
})

test('an engine that fails has rates of 0, and measuring does not fail', async () => {
  const engine = new ScriptedEngine()
  engine.crash()
  expect(await measureRates(engine, running)).toEqual({ prefillTokensPerSecond: 0, decodeTokensPerSecond: 0 })
})

test('only the signal makes measuring fail', async () => {
  await expect(measureRates(new TimedEngine(1, 1), AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped')
})
