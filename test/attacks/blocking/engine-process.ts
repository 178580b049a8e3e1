/**
 * A scripted engine in a process of its own, with a context of 2^19 tokens. It speaks to the daemon as the llama
 * engine.
 */
import process from 'node:process'
import { PotluckError } from '@potluck/protocol'

import { runAudit } from '../../../node/engine/audit.ts'
import type { EngineRequest, FromChild, Result, ToChild } from '../../../node/engine/child/messages.ts'
import type { PositionScores, ScoreJob } from '../../../node/engine/interface.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'

/** Longer than the longest prompt and answer together. */
const CONTEXT_LENGTH = 1 << 19
const SCORES: PositionScores = {
  tokens: Uint32Array.from({ length: 64 }, (_, token) => token + 32),
  logits: Float32Array.from({ length: 64 }, (_, rank) => -rank)
}

/** Its own scores would take a minute for the longest answer. */
class QuickScores extends ScriptedEngine {
  override async score({ answerTokens, first = 0 }: ScoreJob): Promise<PositionScores[]> {
    return answerTokens.slice(first).map(() => SCORES)
  }
}

const engine = new QuickScores({ reply: () => 'ok', contextLength: CONTEXT_LENGTH, slots: 4 })
const aborts = new Map<number, AbortController>()

function send(message: FromChild): void {
  process.send?.(message)
}

async function run(request: EngineRequest): Promise<void> {
  const { id } = request
  const abort = new AbortController()
  aborts.set(id, abort)
  try {
    if (request.type === 'generate') {
      for await (const event of engine.generate({ ...request.job, credit: request.job.maxTokens }, abort.signal)) {
        send({ type: 'events', events: [{ id, event }] })
      }
    } else send({ type: 'result', id, result: await resultOf(request, abort.signal) })
  } catch (error) {
    const { code, message } = error instanceof PotluckError ? error : new PotluckError('engine_failed', String(error))
    send({ type: 'error', id, code, message })
  } finally {
    aborts.delete(id)
  }
}

async function resultOf(request: Exclude<EngineRequest, { type: 'generate' }>, signal: AbortSignal): Promise<Result> {
  switch (request.type) {
    case 'tokenize':
      return { type: 'tokens', tokens: Uint32Array.from(await engine.tokenize(request.input)) }
    case 'score':
      return { type: 'scores', scores: await engine.score(request.job) }
    case 'read':
      return { type: 'reading', reading: await engine.read(request.job) }
    case 'embed':
      return { type: 'embeddings', embeddings: await engine.embed(request.texts) }
    case 'noise':
      return { type: 'noise', noise: 0 }
    case 'audit':
      return { type: 'audit', outcome: await runAudit(request.job, engine, signal) }
    case 'counters':
      return { type: 'counters', counters: await engine.counters() }
  }
}

process.on('message', (message: ToChild) => {
  if (message.type === 'abort') aborts.get(message.id)?.abort()
  else if (message.type === 'load') {
    const { model, backend } = engine
    send({ type: 'ready', model, backend, file: { digest: model.digest, sizeBytes: 0, modifiedMs: 0 }, remembered: 0 })
  } else if (message.type !== 'grant') void run(message)
})
process.once('disconnect', () => process.exit())
