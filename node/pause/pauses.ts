/**
 * Why a node is paused: its owner paused it, or a condition that the owner set holds, such as hours or a running
 * program. The node takes requests again when no reason is left.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { writeDurably } from '../data/data-folder.ts'

export interface PauseCondition {
  /** Completes the sentence "the node is paused: …". */
  reason: string
  /** Whether the node must pause now. An exception counts as no. */
  holds: () => boolean | Promise<boolean>
}

const OWNER = 'its owner paused it'

export class Pauses {
  readonly #conditions: readonly PauseCondition[]
  readonly #file: string | undefined
  readonly #onChange: (paused: boolean) => Promise<void>
  #byOwner: boolean
  #holding: readonly string[] = []
  #reported = false

  private constructor(file: string | undefined, byOwner: boolean, { conditions, onChange }: PauseOptions) {
    this.#file = file
    this.#byOwner = byOwner
    this.#conditions = conditions
    this.#onChange = onChange
  }

  /** Reads whether the owner paused the node before it stopped. Call `check` next, and then at regular intervals. */
  static async open(directory: string | undefined, options: PauseOptions): Promise<Pauses> {
    const file = directory === undefined ? undefined : join(directory, 'paused')
    const byOwner =
      file !== undefined &&
      (await readFile(file).then(
        () => true,
        () => false
      ))
    return new Pauses(file, byOwner, options)
  }

  /** Why the node is paused. Empty: it is not. */
  get reasons(): readonly string[] {
    return this.#byOwner ? [OWNER, ...this.#holding] : this.#holding
  }

  /** @throws Error from the disk. The change then lasts only until the node stops */
  async setByOwner(paused: boolean): Promise<void> {
    this.#byOwner = paused
    await this.#report()
    if (this.#file === undefined) return
    await (paused ? writeDurably(this.#file, new Uint8Array()) : rm(this.#file, { force: true }))
  }

  /** Evaluates the conditions, and reports a change. */
  async check(): Promise<void> {
    const holding = await Promise.all(this.#conditions.map(async ({ holds }) => await isTrue(holds)))
    this.#holding = this.#conditions.filter((_, index) => holding[index]).map(({ reason }) => reason)
    await this.#report()
  }

  async #report(): Promise<void> {
    const paused = this.reasons.length > 0
    if (paused === this.#reported) return
    this.#reported = paused
    await this.#onChange(paused)
  }
}

export interface PauseOptions {
  conditions: readonly PauseCondition[]
  /** Called when the node must pause, and when it must continue. */
  onChange: (paused: boolean) => Promise<void>
}

async function isTrue(holds: PauseCondition['holds']): Promise<boolean> {
  try {
    return await holds()
  } catch {
    return false
  }
}
