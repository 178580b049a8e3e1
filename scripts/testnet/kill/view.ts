/** What the death of a node shows: for a person, or one JSON object a line. */
import type { AnswerResult } from '@potluck/client'
import type { ErrorCode } from '@potluck/protocol'
import { printAnswer, printJson } from '../../../node/cli/terminal/output.ts'
import { duration } from '../../../node/cli/terminal/units.ts'
import { HumanScreen, JsonScreen, type Screen } from '../screen.ts'

export interface KillOutcome {
  /** Name of the node; undefined where the answer was over before. */
  killed: string | undefined
  failure: ErrorCode | undefined
  gapMs: number | undefined
  result: AnswerResult | undefined
  /** As the uninterrupted answer, token by token. */
  same: boolean
}

export interface KillView extends Screen {
  prompt: (prompt: string, seed: bigint) => void
  text: (text: string) => void
  killed: (name: string) => void
  goesOn: (name: string) => void
  summary: (outcome: KillOutcome) => void
}

export class HumanKillView extends HumanScreen implements KillView {
  prompt(prompt: string, seed: bigint): void {
    this.endProgress()
    this.out.write(`\n> ${prompt}   (seed ${seed}; its uninterrupted answer is known)\n\n`)
  }

  text(text: string): void {
    this.lineIsOpen = true
    printAnswer(text)
  }

  killed(name: string): void {
    this.out.write(`\n\n── ${name}, which gives this answer, is killed: SIGKILL. What it had sent still arrives ──\n\n`)
  }

  goesOn(name: string): void {
    this.out.write(`\n\n── ${name} goes on ──\n\n`)
  }

  summary({ killed, failure, gapMs, result, same }: KillOutcome): void {
    this.lineIsOpen = false
    const rows = [
      ['killed', killed ?? 'nobody: the answer was over before'],
      ['gap', gapMs === undefined ? '-' : `${duration(gapMs)}, the prefill of prompt and answer so far included`],
      ['answer', result === undefined ? `failed: ${failure}` : `${result.usage.completionTokens} tokens`],
      ['against the uninterrupted', same ? 'the same, token by token' : 'CHANGED']
    ]
    this.out.write(`\n\n${rows.map(([name = '', value = '']) => `${name.padEnd(28)}${value}`).join('\n')}\n`)
  }
}

export class JsonKillView extends JsonScreen implements KillView {
  prompt(prompt: string, seed: bigint): void {
    printJson({ type: 'prompt', prompt, seed })
  }

  text(text: string): void {
    printJson({ type: 'text', text })
  }

  killed(name: string): void {
    printJson({ type: 'killed', node: name, signal: 'SIGKILL' })
  }

  goesOn(name: string): void {
    printJson({ type: 'goes_on', node: name })
  }

  summary({ killed, failure, gapMs, result, same }: KillOutcome): void {
    const { usage, metadata } = result ?? {}
    const failures = metadata?.failures
    printJson({ type: 'summary', killed, failure, gapMs, same, peer: metadata?.peerId, usage, failures })
  }
}
