/** The output of `prompt/run.ts`: text for a person, or one JSON object per line. */
import type { AnswerResult, KnownNode } from '@potluck/client'
import { formatDigest } from '@potluck/protocol'
import { printAnswer, printJson } from '../../../node/cli/terminal/output.ts'
import { table } from '../../../node/cli/terminal/table.ts'
import { bytes, duration, rate, shortPeer } from '../../../node/cli/terminal/units.ts'
import { HumanScreen, JsonScreen, type Screen } from '../screen.ts'

export interface PromptView extends Screen {
  nodes: (nodes: readonly KnownNode[], foundMs: number) => void
  prompt: (prompt: string) => void
  text: (text: string) => void
  summary: (result: AnswerResult, firstTokenAfterStartMs: number) => void
}

export class HumanPromptView extends HumanScreen implements PromptView {
  nodes(nodes: readonly KnownNode[], foundMs: number): void {
    this.endProgress()
    const heads = ['node', 'model', 'quant', 'context', 'hardware', 'memory', 'prefill', 'decode', 'round trip']
    const rows = nodes.flatMap(({ card, roundTripMs }) =>
      card.models.map((model) => [
        shortPeer(card.peerId.toString()),
        model.name,
        model.quantization,
        String(model.contextLength),
        `${card.hardware.accelerator}, ${card.hardware.cores} cores`,
        bytes(card.hardware.ramBytes),
        rate(model.prefillTokensPerSecond),
        rate(model.decodeTokensPerSecond),
        duration(roundTripMs)
      ])
    )
    this.out.write(`\n${table(heads, rows)}\n\n`)
    this.out.write(`Found through the DHT in ${duration(foundMs)}, from the relay's address alone.\n`)
  }

  prompt(prompt: string): void {
    this.out.write(`\n> ${prompt}\n\n`)
  }

  text(text: string): void {
    this.lineIsOpen = true
    printAnswer(text)
  }

  summary({ metadata, usage, finishReason }: AnswerResult, firstTokenAfterStartMs: number): void {
    const rows = [
      ['node', metadata.peerId],
      ['connection', `${metadata.encryption.slice(1)}, ${metadata.muxer.slice(1)}`],
      ['time to first token', duration(metadata.ttftMs)],
      ['rate', rate(metadata.tokensPerSecond)],
      ['total', `${usage.completionTokens} tokens in ${duration(metadata.totalMs)}, finish reason ${finishReason}`],
      ['first token after start', duration(firstTokenAfterStartMs)]
    ]
    this.lineIsOpen = false
    this.out.write(`\n\n${rows.map(([name = '', value = '']) => `${name.padEnd(24)}${value}`).join('\n')}\n`)
  }
}

export class JsonPromptView extends JsonScreen implements PromptView {
  nodes(nodes: readonly KnownNode[], foundMs: number): void {
    for (const { card, load, roundTripMs } of nodes) {
      printJson({
        type: 'node',
        peer: card.peerId.toString(),
        models: card.models.map((model) => ({ ...model, digest: formatDigest(model.digest) })),
        hardware: card.hardware,
        load,
        roundTripMs
      })
    }
    printJson({ type: 'found', nodes: nodes.length, foundMs })
  }

  prompt(prompt: string): void {
    printJson({ type: 'prompt', prompt })
  }

  text(text: string): void {
    printJson({ type: 'text', text })
  }

  summary({ metadata, usage, finishReason }: AnswerResult, firstTokenAfterStartMs: number): void {
    const { peerId, encryption, muxer, ttftMs, tokensPerSecond, totalMs } = metadata
    const shown = { peer: peerId, encryption, muxer, ttftMs, tokensPerSecond, totalMs, usage, finishReason }
    printJson({ type: 'summary', ...shown, firstTokenAfterStartMs })
  }
}
