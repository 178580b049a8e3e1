/** The behaviour that every engine must have. `node/engine/interface.ts` describes it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  auditAnswer,
  decodeAuditReply,
  DEFAULT_SAMPLING,
  encodeAuditRequest,
  PotluckError,
  sampleToken,
  type SamplingParameters
} from '@potluck/protocol'
import type { Engine, EngineEvent, GenerateJob, Generation } from '../../node/engine/interface.ts'
import { newPeer, PRIVATE, requestFor, serve } from '../unit/audit/records.ts'
import { collect, jobFor, PLENTY, type Collected } from './collect.ts'

const PROMPT = 'Once upon a time'
/** Sampling that often chooses unlikely tokens, which include parts of characters. */
const WILD = { temperature: 3, topK: 0, topP: 1, minP: 0 }

async function failure(promise: Promise<unknown>): Promise<PotluckError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason
  )
  expect(error).toBeInstanceOf(PotluckError)
  return error as PotluckError
}

/** Reads events until this many tokens have arrived. The iteration stays open. */
async function readTokens(iterator: AsyncIterator<EngineEvent>, count: number): Promise<Collected> {
  let tokens = 0
  async function* some(): AsyncGenerator<EngineEvent> {
    while (tokens < count) {
      const { value, done } = await iterator.next()
      if (done) return
      if (value.type === 'delta') tokens += value.delta.tokens.length
      yield value
    }
  }
  return collect(some())
}

/** Grants credit for one token at a time, so that each delta has the text of one token. */
async function stepwise(engine: Engine, job: GenerateJob): Promise<Collected> {
  const generation: Generation = engine.generate({ ...job, credit: 1 })
  async function* granted(): AsyncGenerator<EngineEvent> {
    for await (const event of generation) {
      if (event.type === 'delta') generation.grant(event.delta.tokens.length)
      yield event
    }
  }
  return collect(granted())
}

/**
 * @param start starts an engine with 4 slots
 * @param end the token with which the engine's model ends an answer. Most tests forbid this token, so that answers can
 *   have any length
 */
export function describeEngine(name: string, start: () => Promise<Engine>, end: number): void {
  describe(`engine: ${name}`, () => {
    let engine: Engine
    let prompt: number[]

    beforeAll(async () => {
      engine = await start()
      prompt = await engine.tokenize({ prompt: PROMPT })
    })
    afterAll(() => engine.close())

    const seeded = (seed: bigint, more: Partial<SamplingParameters> = {}): Pick<GenerateJob, 'sampling'> => ({
      sampling: { ...DEFAULT_SAMPLING, seed, logitBias: new Map([[end, -1000]]), ...more }
    })
    const jobOf = (promptTokens: readonly number[], changes: Partial<GenerateJob> = {}): GenerateJob =>
      jobFor(promptTokens, { ...seeded(1n), ...changes })
    const run = async (changes: Partial<GenerateJob> = {}): Promise<Collected> =>
      collect(engine.generate(jobOf(prompt, changes)))

    describe('answers', () => {
      it('are the same for the same seed, and different for another', async () => {
        const [first, again, other] = [await run(seeded(7n)), await run(seeded(7n)), await run(seeded(8n))]
        expect(again.tokens).toEqual(first.tokens)
        expect(again.text).toBe(first.text)
        expect(other.tokens).not.toEqual(first.tokens)
      })

      it('end at maxTokens, and usage counts the tokens', async () => {
        const answer = await run({ maxTokens: 5 })
        expect(answer.tokens).toHaveLength(5)
        expect(answer.finishReason).toBe('length')
        expect(answer.usage).toMatchObject({ promptTokens: prompt.length, completionTokens: 5 })
      })

      it('end with the end token, which counts but has no text', async () => {
        // The scores show at which position the end token is a candidate.
        const { tokens } = await run({ maxTokens: 100 })
        const scores = await engine.score({ promptTokens: prompt, answerTokens: tokens })
        const at = scores.findIndex((candidates) => candidates.tokens.includes(end))
        expect(at).toBeGreaterThanOrEqual(0)
        const answerTokens = tokens.slice(0, at)
        const ended = await run({ ...seeded(1n, { logitBias: new Map([[end, 1000]]) }), answerTokens })
        expect(ended).toMatchObject({ tokens: [end], text: '', finishReason: 'stop' })
        expect(ended.usage?.completionTokens).toBe(at + 1)
        const resumed = await run({ answerTokens: [...answerTokens, end] })
        expect(resumed).toMatchObject({ tokens: [], text: '', finishReason: 'stop' })
      })

      it('can be empty', async () => {
        const answer = await run({ maxTokens: 0 })
        expect(answer).toMatchObject({ tokens: [], text: '', finishReason: 'length' })
      })

      it('end when the context is full', async () => {
        const { contextLength } = engine.model
        const long = Array.from({ length: contextLength - 3 }, (_, index) => prompt[index % prompt.length]!)
        const answer = await collect(engine.generate(jobOf(long, { maxTokens: PLENTY })))
        expect(answer.finishReason).toBe('length')
        expect(answer.tokens).toHaveLength(3)
        const full = await failure(collect(engine.generate(jobOf([...long, ...prompt.slice(0, 3)]))))
        expect(full.code).toBe('context_length_exceeded')
      })

      it('are possible for prompts in any script', async () => {
        for (const text of ['Es war einmal ein Bär.', '昔々あるところに', '🐻‍❄️👩🏽‍🚀', 'שָׁלוֹם\u0000\uFEFF']) {
          const tokens = await engine.tokenize({ prompt: text })
          expect(await engine.tokenize({ prompt: text })).toEqual(tokens)
          const answer = await collect(engine.generate(jobOf(tokens, { maxTokens: 4 })))
          expect(answer.usage?.promptTokens).toBe(tokens.length)
        }
      })

      it('are refused without a prompt, and for unknown token ids', async () => {
        expect((await failure(collect(engine.generate(jobOf([]))))).code).toBe('invalid_request')
        for (const id of [engine.model.vocabularySize, -1, 0.5]) {
          expect((await failure(collect(engine.generate(jobOf([id]))))).code).toBe('invalid_request')
          expect((await failure(run({ answerTokens: [id] }))).code).toBe('invalid_request')
        }
      })
    })

    describe('text', () => {
      it('consists of the bytes of the tokens, with whole characters in every delta', async () => {
        for (let seed = 0n; seed < 8n; seed++) {
          const answer = await run({ ...seeded(seed, WILD), topLogprobs: 0 })
          const bytes = Buffer.concat(answer.logprobs.map(({ chosen }) => chosen.bytes))
          expect(answer.text).toBe(bytes.toString())
          for (const piece of answer.pieces) expect(piece.isWellFormed()).toBe(true)
        }
      })

      it('stops before a stop sequence that several tokens form', async () => {
        const whole = await run(seeded(3n))
        for (let start = 1; start + 6 <= whole.text.length; start += 5) {
          const stop = whole.text.slice(start, start + 6)
          const answer = await run({ ...seeded(3n), stop: ['\u{10FFFF}', stop] })
          expect(answer.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)))
          expect(answer.finishReason).toBe('stop')
          expect(answer.tokens).toEqual(whole.tokens.slice(0, answer.tokens.length))
        }
      })

      it('that is only the beginning of a stop sequence is emitted at the end', async () => {
        const whole = await run(seeded(3n))
        const answer = await run({ ...seeded(3n), stop: [`${whole.text.slice(-4)}\u{10FFFF}`] })
        expect(answer.text).toBe(whole.text)
      })
    })

    describe('resumed answers', () => {
      it.each([
        ['plain', {}, false],
        ['with parts of characters', WILD, false],
        ['with penalties and a stop sequence', { frequencyPenalty: 0.7, presencePenalty: 0.3 }, true]
      ])('equal the uninterrupted answer at every token: %s', async (_case, sampling, stopped) => {
        const free = await run({ ...seeded(11n, sampling) })
        const stop = stopped ? [free.text.slice(-9, -4)] : []
        const job = jobOf(prompt, { ...seeded(11n, sampling), stop })
        const whole = await stepwise(engine, job)
        for (let cut = 0; cut <= whole.tokens.length; cut++) {
          const rest = await collect(engine.generate({ ...job, answerTokens: whole.tokens.slice(0, cut) }))
          expect(rest.tokens).toEqual(whole.tokens.slice(cut))
          expect(rest.text).toBe(whole.pieces.slice(cut).join(''))
          expect(rest.finishReason).toBe(whole.finishReason)
          expect(rest.usage?.completionTokens).toBe(whole.tokens.length)
        }
      })
    })

    describe('the tokens of a resumed answer that the job asks to check', () => {
      const job = (): GenerateJob => jobOf(prompt, seeded(11n, WILD))

      it.each([0, 7, 23, 24])('have the margin 0 if they are from the model: from token %i on', async (from) => {
        const whole = await collect(engine.generate(job()))
        const rest = await collect(engine.generate({ ...job(), answerTokens: whole.tokens, checkFrom: from }))
        const checked = rest.checked ?? []
        expect(checked).toHaveLength(whole.tokens.length - from)
        expect(checked.every(({ margin }) => margin === 0)).toBe(true)
        expect(rest.tokens).toEqual([])
      })

      it('do not change the rest of the answer, in the cache or not', async () => {
        const whole = await collect(engine.generate(job()))
        for (const checkFrom of [2, 5, 9]) {
          const rest = await collect(
            engine.generate({ ...job(), answerTokens: whole.tokens.slice(0, 9), checkFrom, topLogprobs: 2 })
          )
          expect(rest.tokens).toEqual(whole.tokens.slice(9))
          expect(rest.checked?.length ?? 0).toBe(9 - checkFrom)
        }
      })

      it('have a margin above 0 if they are forged', async () => {
        const { tokens } = await collect(engine.generate(job()))
        const forged = tokens.slice(0, 9).with(4, tokens[4] === tokens[0] ? tokens[1]! : tokens[0]!)
        const { checked } = await collect(engine.generate({ ...job(), answerTokens: forged, checkFrom: 3 }))
        expect(checked?.[0]).toMatchObject({ margin: 0, gap: expect.toSatisfy((gap: number) => gap > 0) })
        expect(checked?.[1]?.margin).toBeGreaterThan(0)
      })
    })

    describe('a generation ends early', () => {
      it('on an abort: the evaluation stops and the slot is free', async () => {
        const controller = new AbortController()
        const generation = engine.generate(jobOf(prompt, { maxTokens: PLENTY }), controller.signal)
        const iterator = generation[Symbol.asyncIterator]()
        await readTokens(iterator, 2)
        controller.abort()
        expect((await failure(drain(iterator))).code).toBe('aborted')
        await expectIdle(engine)
      })

      it('on a break', async () => {
        for await (const event of engine.generate(jobOf(prompt, { maxTokens: PLENTY }))) {
          if (event.type === 'delta') break
        }
        await expectIdle(engine)
      })

      it('on an abort before its start', async () => {
        const error = await failure(collect(engine.generate(jobOf(prompt), AbortSignal.abort())))
        expect(error.code).toBe('aborted')
        await expectIdle(engine)
      })

      it('on an abort while it waits for credit', async () => {
        const controller = new AbortController()
        const iterator = engine.generate(jobOf(prompt, { credit: 1 }), controller.signal)[Symbol.asyncIterator]()
        await readTokens(iterator, 1)
        controller.abort()
        expect((await failure(drain(iterator))).code).toBe('aborted')
        await expectIdle(engine)
      })
    })

    describe('credit', () => {
      it('limits the tokens, and the same answer continues with more credit', async () => {
        const whole = await run()
        const before = (await engine.counters()).decodeTokens
        const generation = engine.generate(jobOf(prompt, { credit: 3 }))
        const iterator = generation[Symbol.asyncIterator]()
        const first = await readTokens(iterator, 3)
        const held = await engine.counters()
        // The evaluation of the prompt can give the first token. The engine computes no token after the third.
        expect(held.decodeTokens - before).toBeLessThanOrEqual(3)
        expect(held.activeSlots).toBe(1)
        // A faulty engine would generate more tokens during this round trip.
        await engine.tokenize({ prompt: PROMPT })
        expect(await engine.counters()).toEqual(held)
        generation.grant(PLENTY)
        const rest = await readTokens(iterator, PLENTY)
        expect([...first.tokens, ...rest.tokens]).toEqual(whole.tokens)
        expect(first.text + rest.text).toBe(whole.text)
      })

      it('can be granted before the first read', async () => {
        const generation = engine.generate(jobOf(prompt, { credit: 0, maxTokens: 4 }))
        generation.grant(4)
        expect((await collect(generation)).tokens).toHaveLength(4)
      })
    })

    describe('slots', () => {
      it('give the same answers together as one after another', async () => {
        const jobs = Array.from({ length: engine.slots }, (_, index) =>
          jobOf(prompt, { ...seeded(BigInt(100 + index)), maxTokens: 40 })
        )
        const alone: Collected[] = []
        for (const job of jobs) alone.push(await collect(engine.generate(job)))
        const together = await Promise.all(jobs.map((job) => collect(engine.generate(job))))
        expect(together.map(({ tokens }) => tokens)).toEqual(alone.map(({ tokens }) => tokens))
        expect(together.map(({ text }) => text)).toEqual(alone.map(({ text }) => text))
      })

      it('take no request while all are busy, and serve again afterwards', async () => {
        const iterators = Array.from({ length: engine.slots }, () =>
          engine.generate(jobOf(prompt, { credit: 1 }))[Symbol.asyncIterator]()
        )
        await Promise.all(iterators.map((iterator) => readTokens(iterator, 1)))
        expect((await engine.counters()).activeSlots).toBe(engine.slots)
        expect((await failure(run())).code).toBe('busy')
        await Promise.all(iterators.map(async (iterator) => iterator.return?.()))
        expect((await run({ maxTokens: 3 })).tokens).toHaveLength(3)
      })

      it('reuse their evaluated tokens for the next turn', async () => {
        const fresh = await engine.tokenize({ prompt: 'A prompt that nobody has sent before, number one.' })
        const first = await collect(engine.generate(jobOf(fresh, { maxTokens: 6 })))
        const turn = [...fresh, ...first.tokens, ...prompt]
        const second = await collect(engine.generate(jobOf(turn, { maxTokens: 2 })))
        // The last sampled token was not evaluated.
        expect(second.usage?.cachedTokens).toBeGreaterThanOrEqual(fresh.length + first.tokens.length - 1)
        expect(second.usage?.cachedTokens).toBeLessThan(turn.length)
        expect(second.cachedTokens).toBe(second.usage?.cachedTokens)
      })

      it('reuse their evaluated tokens only for the same caller, in answers and in scores', async () => {
        const secret = await engine.tokenize({ prompt: 'A prompt that nobody has sent before, and that is a secret.' })
        const ask = async (caller: string): Promise<number> => {
          const { usage } = await collect(engine.generate(jobOf(secret, { caller, maxTokens: 1 })))
          return usage!.cachedTokens
        }
        const score = async (caller: string): Promise<number> => {
          const { prefillTokens } = await engine.counters()
          await engine.score({ caller, promptTokens: secret, answerTokens: prompt.slice(0, 1) })
          return (await engine.counters()).prefillTokens - prefillTokens
        }
        await ask('victim')
        // All prompts can begin with the same token, which marks the beginning.
        expect(await ask('guest')).toBeLessThanOrEqual(1)
        expect(await score('auditor')).toBeGreaterThanOrEqual(secret.length - 1)
        expect(await ask('victim')).toBeGreaterThanOrEqual(secret.length - 1)
        expect(await ask('guest')).toBeGreaterThanOrEqual(secret.length - 1)
        expect(await score('auditor')).toBeLessThan(secret.length / 2)
      })
    })

    describe('log-probabilities', () => {
      it('are from the raw distribution, best first, one for each token', async () => {
        const answer = await run({ ...seeded(5n, { temperature: 0 }), topLogprobs: 20 })
        expect(answer.logprobs).toHaveLength(answer.tokens.length)
        answer.logprobs.forEach(({ chosen, top }, position) => {
          expect(chosen.token).toBe(answer.tokens[position])
          expect(top).toHaveLength(20)
          // Temperature 0 chooses the best token, except for the end token, which the bias prevents.
          expect(top.find(({ token }) => token !== end)).toEqual(chosen)
          expect(top.map(({ logprob }) => logprob)).toEqual(top.map(({ logprob }) => logprob).toSorted((a, b) => b - a))
          const mass = top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)
          expect(mass).toBeGreaterThan(0.2)
          expect(mass).toBeLessThanOrEqual(1 + 1e-4)
        })
      })

      it('do not change the answer, and do not depend on the sampling', async () => {
        const plain = await run(seeded(6n))
        const asked = await run({ ...seeded(6n), topLogprobs: 1 })
        expect(asked.tokens).toEqual(plain.tokens)
        expect(plain.logprobs).toEqual([])
        const bias = new Map([[asked.tokens[0]!, 50]])
        const biased = await run({ ...seeded(6n, { logitBias: bias, temperature: 0.1 }), topLogprobs: 1, maxTokens: 1 })
        expect(biased.tokens[0]).toBe(asked.tokens[0])
        expect(biased.logprobs[0]?.chosen.logprob).toBeCloseTo(asked.logprobs[0]!.chosen.logprob, 3)
      })

      it('are those that an audit on the same machine computes', async () => {
        const { tokens, logprobs } = await run({ ...seeded(6n), topLogprobs: 1 })
        const scores = await engine.score({ promptTokens: prompt, answerTokens: tokens, normaliser: true })
        logprobs.forEach(({ chosen, top }, position) => {
          const { tokens: candidates, logits, logNormaliser = Number.NaN } = scores[position]!
          expect(logits[candidates.indexOf(chosen.token)]! - logNormaliser).toBe(chosen.logprob)
          expect(logits[0]! - logNormaliser).toBe(top[0]!.logprob)
        })
      })
    })

    describe('score', () => {
      it('returns the logits from which the answer was sampled', async () => {
        const { sampling } = seeded(42n, { frequencyPenalty: 0.2 })
        const { tokens } = await run({ sampling, maxTokens: 60 })
        const scores = await engine.score({ promptTokens: prompt, answerTokens: tokens })
        expect(scores).toHaveLength(tokens.length)
        const counts = new Map<number, number>()
        const sampled = scores.map((candidates, position) => {
          const token = sampleToken(candidates, sampling, position, counts)
          const claimed = tokens[position]!
          counts.set(claimed, (counts.get(claimed) ?? 0) + 1)
          return token
        })
        expect(sampled).toEqual(tokens)
        for (const { tokens: candidates, logits } of scores) {
          expect(candidates.length).toBeGreaterThan(0)
          expect(logits).toEqual(logits.toSorted((a, b) => b - a))
        }
        await expectIdle(engine)
      })

      it('returns nothing for an empty answer', async () => {
        expect(await engine.score({ promptTokens: prompt, answerTokens: [] })).toEqual([])
      })

      it('stops on an abort', async () => {
        const error = await failure(engine.score({ promptTokens: prompt, answerTokens: prompt }, AbortSignal.abort()))
        expect(error.code).toBe('aborted')
      })
    })

    describe('audit', () => {
      it('gives the result of the same steps outside the engine', async () => {
        const peer = await newPeer()
        const { record } = await serve(engine, peer, requestFor(engine))
        const { peerId } = peer
        const frame = encodeAuditRequest({ peerId, answer: record })
        const { reply, misstatements } = await engine.audit({ frame, forPeer: true })
        const { measured } = await auditAnswer(record, peerId, engine)
        const decoded = decodeAuditReply(reply)
        if (decoded.type === 'error') throw new Error(decoded.code)
        expect(decoded.result).toMatchObject({ comparable: true, violations: [] })
        // The frame rounds the numbers.
        const margins = measured.map(({ margin }) => Math.fround(margin))
        expect(decoded.result.measured.map(({ margin }) => margin)).toEqual(margins)
        expect(margins).toHaveLength(record.answerTokens.length)
        expect(misstatements).toEqual([])
      })

      it('measures the noise of the model, and tells only its owner', async () => {
        const peer = await newPeer()
        const { record } = await serve(engine, peer, requestFor(engine))
        const frame = encodeAuditRequest({ peerId: peer.peerId, answer: record })
        const noise = await engine.noise?.()
        if (noise !== undefined) expect(noise).toBeGreaterThan(0.01)
        if (noise !== undefined) expect(noise).toBeLessThan(0.3)
        expect((await engine.audit({ frame, forPeer: false })).noise).toBe(noise)
        expect((await engine.audit({ frame, forPeer: true })).noise).toBeUndefined()
      })

      it('reuses evaluated tokens only for the same caller', async () => {
        const peer = await newPeer()
        const messages = [
          { role: 'user', content: 'Tell a story that nobody has heard, about an owl and a mill.' }
        ] as const
        const { record } = await serve(engine, peer, requestFor(engine, { input: { messages }, maxTokens: 1 }))
        const frame = encodeAuditRequest({ peerId: peer.peerId, answer: record })
        const evaluatedFor = async (caller: string): Promise<number> => {
          const { prefillTokens } = await engine.counters()
          await engine.audit({ caller, frame, forPeer: true })
          return (await engine.counters()).prefillTokens - prefillTokens
        }
        const first = await evaluatedFor('one auditor')
        expect(first).toBeGreaterThan(record.promptTokens.length / 2)
        expect(await evaluatedFor('one auditor')).toBeLessThan(first / 2)
        expect(await evaluatedFor('another auditor')).toBeGreaterThanOrEqual(first)
      })

      it('refuses an answer that other peers must not see, and bytes that are no audit', async () => {
        const peer = await newPeer()
        const { record } = await serve(engine, peer, requestFor(engine, { commitment: PRIVATE }))
        const frame = encodeAuditRequest({ peerId: peer.peerId, answer: record })
        expect(await failure(engine.audit({ frame, forPeer: true }))).toMatchObject({ code: 'invalid_request' })
        expect((await engine.audit({ frame, forPeer: false })).misstatements).toEqual([])
        const none = { frame: Uint8Array.of(1, 2, 3), forPeer: false }
        expect(await failure(engine.audit(none))).toMatchObject({ code: 'invalid_request' })
      })
    })

    it('generates only once', async () => {
      const generation = engine.generate(jobOf(prompt, { maxTokens: 1 }))
      await collect(generation)
      await expect(collect(generation)).rejects.toThrow('once')
    })
  })
}

async function drain(iterator: AsyncIterator<EngineEvent>): Promise<void> {
  while (!(await iterator.next()).done);
}

/** Checks that no slot is busy and nothing is evaluated. */
async function expectIdle(engine: Engine): Promise<void> {
  const before = await engine.counters()
  expect(before.activeSlots).toBe(0)
  await engine.tokenize({ prompt: PROMPT })
  expect(await engine.counters()).toEqual(before)
}
