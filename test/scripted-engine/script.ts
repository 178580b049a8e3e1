import { raceSignal } from 'race-signal'
import { PotluckError } from '@potluck/protocol'
import { abortedError } from '../../node/engine/checks.ts'
import type { EngineBackend, EngineModel, ScoreJob } from '../../node/engine/interface.ts'

/** The next evaluation. */
export interface ScriptedStep {
  kind: 'prefill' | 'token' | 'score'
  job: ScoreJob
  /** The index of the next token in the answer. */
  position: number
}

export interface ScriptedOptions {
  /** Default 4. */
  slots?: number
  /** In tokens. Default 512. */
  contextLength?: number
  /** Returns the answer to a prompt. Default: random text that depends on the seed. */
  reply?: (prompt: string) => string
  /**
   * Called before every evaluation. The evaluation waits until the returned promise resolves, or until the signal is
   * aborted. An exception fails the generation. The result `'cut'` ends the generation without `done`.
   */
  before?: (step: ScriptedStep, signal: AbortSignal) => void | 'cut' | Promise<void | 'cut'>
  /** Overrides properties of the model. */
  model?: Partial<EngineModel>
  /** The engine evaluates a prompt in steps of so many tokens, and reports each. Default: in one step. */
  sliceTokens?: number
  /** Overrides what the engine says about how it computes. */
  backend?: Partial<EngineBackend>
  /** Returns the time in milliseconds, for the timings in events. Default: always 0. */
  now?: () => number
}

/** Calls `before` and waits for it. */
export async function runStep(
  { before }: ScriptedOptions,
  step: ScriptedStep,
  signal: AbortSignal
): Promise<void | 'cut'> {
  if (signal.aborted) throw reasonOf(signal)
  const waiting = (async () => before?.(step, signal))()
  return raceSignal(waiting, signal, { translateError: reasonOf })
}

/** A caller's signal can have any reason. The scripted engine's own signals have the error as their reason. */
function reasonOf({ reason }: AbortSignal): PotluckError {
  return reason instanceof PotluckError ? reason : abortedError()
}
