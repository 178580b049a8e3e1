/** The output of `kill/run.ts`: text for a person, or one JSON object per line. */
import type { AnswerResult } from '@potluck/client'
import type { ErrorCode } from '@potluck/protocol'
import { printAnswer, printJson } from '../../../node/cli/terminal/output.ts'
import { duration } from '../../../node/cli/terminal/units.ts'
import { HumanScreen, JsonScreen, type Screen } from '../screen.ts'

export interface KillOutcome {
  /** Name of the killed node. Undefined if the answer ended before the kill. */
  killed: string | undefined
  failure: ErrorCode | undefined
  gapMs: number | undefined
  result: AnswerResult | undefined
  /** Whether the answer has the same tokens and text as the uninterrupted one. */
  same: boolean
}

export interface KillView extends Screen {
  prompt: (prompt: string, seed: bigint) => void
  text: (text: string) => void
  killed: (name: string) => void
  continued: (name: string) => void
  summary: (outcome: KillOutcome) => void
}

export class HumanKillView extends HumanScreen implements KillView {
  prompt(prompt: string, seed: bigint): void {
    this.endProgress()
    this.out.write(`\n> ${prompt}   (seed ${seed})\n\n`)
  }

  text(text: string): void {
    this.lineIsOpen = true
    printAnswer(text)
  }

  killed(name: string): void {
    this.out.write(`\n\n── ${name} was killed (SIGKILL). Tokens that it sent before still arrive. ──\n\n`)
  }

  continued(name: string): void {
    this.out.write(`\n\n── ${name} continues the answer. ──\n\n`)
  }

  summary({ killed, failure, gapMs, result, same }: KillOutcome): void {
    this.lineIsOpen = false
    const rows = [
      ['killed', killed ?? 'none: the answer ended first'],
      [
        'gap',
        gapMs === undefined ? '-' : `${duration(gapMs)}, including the prefill of the prompt and the partial answer`
      ],
      ['answer', result === undefined ? `failed: ${failure}` : `${result.usage.completionTokens} tokens`],
      ['uninterrupted answer', same ? 'identical, token by token' : 'DIFFERENT']
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

  continued(name: string): void {
    printJson({ type: 'continued', node: name })
  }

  summary({ killed, failure, gapMs, result, same }: KillOutcome): void {
    const { usage, metadata, finishReason } = result ?? {}
    const failures = metadata?.failures
    printJson({ type: 'summary', killed, failure, gapMs, same, peer: metadata?.peerId, usage, finishReason, failures })
  }
}
