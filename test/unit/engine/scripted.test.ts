import { describe, expect, it } from 'vitest'
import { DEFAULT_SAMPLING } from '@potluck/protocol'
import type { EngineStatus, Generation } from '../../../node/engine/index.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { Gate } from '../../scripted-engine/gate.ts'
import { collect, jobFor } from '../../conformance/collect.ts'

async function begin(engine: ScriptedEngine, signal?: AbortSignal): Promise<Generation> {
  return engine.generate(jobFor(await engine.tokenize({ prompt: 'Hi' })), signal)
}

describe('the scripted engine', () => {
  it('gives the scripted answer with every seed', async () => {
    const engine = new ScriptedEngine({ reply: (prompt) => `You said ${prompt}, Bär.` })
    for (const seed of [1n, 2n]) {
      const promptTokens = await engine.tokenize({ messages: [{ role: 'user', content: 'Hi' }] })
      const sampling = { ...DEFAULT_SAMPLING, temperature: 2, seed }
      const answer = await collect(engine.generate(jobFor(promptTokens, { sampling })))
      expect(answer).toMatchObject({ text: 'You said Hi, Bär.', finishReason: 'stop' })
    }
  })

  it('evaluates only what the gate lets continue', async () => {
    const gate = new Gate()
    const engine = new ScriptedEngine({ before: (_step, signal) => gate.pass(signal) })
    const reading = collect(await begin(engine))
    await gate.holds()
    expect((await engine.counters()).prefillTokens).toBe(0)
    // The prompt and two tokens.
    gate.step(3)
    await gate.holds()
    expect((await engine.counters()).decodeTokens).toBe(2)
    gate.open()
    expect((await reading).finishReason).toBe('length')
  })

  it('stalls until an abort', async () => {
    const controller = new AbortController()
    const engine = new ScriptedEngine({ before: () => new Promise(() => undefined) })
    const reading = collect(await begin(engine, controller.signal))
    controller.abort()
    await expect(reading).rejects.toMatchObject({ code: 'aborted' })
    expect((await engine.counters()).activeSlots).toBe(0)
  })

  it('ends without done if the script cuts it', async () => {
    const engine = new ScriptedEngine({
      before: ({ kind, position }) => (kind === 'token' && position === 3 ? 'cut' : undefined)
    })
    const answer = await collect(await begin(engine))
    expect(answer.tokens).toHaveLength(3)
    expect(answer.finishReason).toBeUndefined()
  })

  it('crashes and recovers', async () => {
    const gate = new Gate()
    const engine = new ScriptedEngine({ before: (_step, signal) => gate.pass(signal) })
    const seen: EngineStatus['state'][] = []
    engine.onStatus(({ state }) => seen.push(state))
    const reading = collect(await begin(engine))
    await gate.holds()
    engine.crash()
    await expect(reading).rejects.toMatchObject({ code: 'engine_failed' })
    await expect(engine.tokenize({ prompt: 'x' })).rejects.toMatchObject({ code: 'engine_failed' })
    engine.recover()
    gate.open()
    expect((await collect(await begin(engine))).finishReason).toBe('length')
    expect((await engine.counters()).restarts).toBe(1)
    engine.giveUp('it was enough')
    expect(seen).toEqual(['restarting', 'ready', 'failed'])
  })
})
