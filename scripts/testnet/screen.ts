/** The output that all scenarios share: the progress of each member, and errors. */
import { printJson } from '../../node/cli/terminal/output.ts'

export interface Screen {
  progress: (member: string, stage: string, fraction: number) => void
  failed: (message: string) => void
}

export class HumanScreen implements Screen {
  protected readonly out: NodeJS.WriteStream
  /** Whether the last output did not end with a newline. */
  protected lineIsOpen = false
  readonly #stages = new Map<string, string>()

  constructor(out: NodeJS.WriteStream) {
    this.out = out
  }

  progress(member: string, stage: string, fraction: number): void {
    const text = stage === 'load' || stage === 'hash' ? `${stage} ${Math.round(fraction * 100)} %` : stage
    if (this.#stages.get(member) === text) return
    this.#stages.set(member, text)
    if (this.out.isTTY) {
      this.out.write(`\r\u001b[K${this.clipped([...this.#stages].map((state) => state.join(': ')).join('  '))}`)
    } else if (fraction === 0 || stage === 'ready') {
      this.out.write(`${member}: ${stage}\n`)
    }
  }

  failed(message: string): void {
    if (!this.lineIsOpen) this.endProgress()
    else this.out.write('\n')
    console.error(message)
  }

  protected endProgress(): void {
    this.#stages.clear()
    if (this.out.isTTY) this.out.write('\r\u001b[K')
  }

  /** Cuts the line to the width of the terminal. */
  protected clipped(line: string): string {
    return this.out.isTTY ? line.slice(0, (this.out.columns || 80) - 1) : line
  }
}

export class JsonScreen implements Screen {
  readonly #stages = new Map<string, string>()

  /** Prints the beginning of each stage. A program has no use for a bar. */
  progress(member: string, stage: string): void {
    if (this.#stages.get(member) === stage) return
    this.#stages.set(member, stage)
    printJson({ type: 'progress', member, stage })
  }

  failed(message: string): void {
    printJson({ type: 'error', message })
  }
}
