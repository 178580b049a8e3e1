/** What a run of the testnet shows: for a person, or one JSON object a line. */
import type { AnswerResult, NodeView } from '@potluck/client'
import { formatDigest } from '@potluck/protocol'
import { table } from '../table.ts'

export interface View {
  progress: (member: string, stage: string, fraction: number) => void
  nodes: (nodes: readonly NodeView[], foundMs: number) => void
  prompt: (prompt: string) => void
  text: (text: string) => void
  summary: (result: AnswerResult, firstTokenAfterStartMs: number) => void
  failed: (message: string) => void
}

/** Peer ids of one network share their beginning; the end tells them apart. */
const shortPeer = (peer: string): string => `…${peer.slice(-8)}`

const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0))

export class HumanView implements View {
  readonly #stages = new Map<string, string>()
  readonly #out: NodeJS.WriteStream
  #lineIsOpen = false

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
  }

  progress(member: string, stage: string, fraction: number): void {
    const text = stage === 'load' || stage === 'hash' ? `${stage} ${Math.round(fraction * 100)} %` : stage
    if (this.#stages.get(member) === text) return
    this.#stages.set(member, text)
    if (this.#out.isTTY) {
      const line = [...this.#stages].map(([name, state]) => `${name}: ${state}`).join('  ')
      this.#out.write(`\r\u001b[K${line.slice(0, (this.#out.columns || 80) - 1)}`)
    } else if (fraction === 0 || stage === 'ready') {
      this.#out.write(`${member}: ${stage}\n`)
    }
  }

  nodes(nodes: readonly NodeView[], foundMs: number): void {
    this.#endProgress()
    const rows = nodes.flatMap(({ card, roundTripMs }) =>
      card.models.map((model) => [
        shortPeer(card.peerId.toString()),
        model.name,
        model.quantization,
        String(model.contextLength),
        `${card.hardware.accelerator}, ${card.hardware.cores} cores, ${(card.hardware.ramBytes / 2 ** 30).toFixed(0)} GiB`,
        model.prefillTokensPerSecond.toFixed(0),
        model.decodeTokensPerSecond.toFixed(0),
        ms(roundTripMs)
      ])
    )
    const head = ['peer', 'model', 'quant', 'context', 'hardware', 'prefill t/s', 'decode t/s', 'round trip ms']
    this.#out.write(`\n${table(head, rows)}\n\n`)
    this.#out.write(`Found through the DHT in ${ms(foundMs)} ms, from the relay's address alone.\n`)
  }

  prompt(prompt: string): void {
    this.#out.write(`\n> ${prompt}\n\n`)
  }

  text(text: string): void {
    this.#lineIsOpen = true
    this.#out.write(text)
  }

  summary({ metadata, usage, finishReason }: AnswerResult, firstTokenAfterStartMs: number): void {
    const rows = [
      ['node', metadata.peerId],
      ['connection', `${metadata.encryption}, ${metadata.muxer}`],
      ['time to first token', `${ms(metadata.ttftMs)} ms`],
      ['rate', `${metadata.tokensPerSecond.toFixed(0)} tokens per second`],
      ['total', `${usage.completionTokens} tokens in ${ms(metadata.totalMs)} ms, ended by ${finishReason}`],
      ['first token after start', `${(firstTokenAfterStartMs / 1000).toFixed(1)} s`]
    ]
    this.#lineIsOpen = false
    this.#out.write(`\n\n${rows.map(([name = '', value = '']) => `${name.padEnd(24)}${value}`).join('\n')}\n`)
  }

  failed(message: string): void {
    if (!this.#lineIsOpen) this.#endProgress()
    else this.#out.write('\n')
    console.error(message)
  }

  #endProgress(): void {
    if (this.#out.isTTY) this.#out.write('\r\u001b[K')
  }
}

export class JsonView implements View {
  progress(member: string, stage: string, fraction: number): void {
    this.#line({ event: 'progress', member, stage, fraction })
  }

  nodes(nodes: readonly NodeView[], foundMs: number): void {
    for (const { card, load, roundTripMs } of nodes) {
      this.#line({
        event: 'node',
        peer: card.peerId.toString(),
        models: card.models.map((model) => ({ ...model, digest: formatDigest(model.digest) })),
        hardware: card.hardware,
        load,
        roundTripMs
      })
    }
    this.#line({ event: 'found', nodes: nodes.length, foundMs })
  }

  prompt(prompt: string): void {
    this.#line({ event: 'prompt', prompt })
  }

  text(text: string): void {
    this.#line({ event: 'text', text })
  }

  summary({ metadata, usage, finishReason }: AnswerResult, firstTokenAfterStartMs: number): void {
    const { peerId, encryption, muxer, ttftMs, tokensPerSecond, totalMs } = metadata
    const shown = { peer: peerId, encryption, muxer, ttftMs, tokensPerSecond, totalMs, usage, finishReason }
    this.#line({ event: 'summary', ...shown, firstTokenAfterStartMs })
  }

  failed(message: string): void {
    this.#line({ event: 'failed', message })
  }

  #line(event: object): void {
    process.stdout.write(`${JSON.stringify(event)}\n`)
  }
}
