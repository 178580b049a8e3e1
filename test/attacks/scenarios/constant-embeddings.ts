import type { Embeddings } from '@potluck/protocol'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { embeddingsOf } from '../../scripted-engine/model.ts'
import type { Attack, Outcome } from '../attack.ts'
import { AttackedNetwork } from '../network.ts'

const HONEST_NODES = 3
/** Honest nodes need this long for a token and for a vector, milliseconds. The attacker computes nothing. */
const HONEST_MS = 20

const pause = async (): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, HONEST_MS))
}

class HonestEngine extends ScriptedEngine {
  constructor() {
    super({ before: pause })
  }

  override async embed(texts: readonly string[], signal?: AbortSignal): Promise<Embeddings> {
    await pause()
    return await super.embed(texts, signal)
  }
}

type Forge = (texts: readonly string[]) => Embeddings

const FORGERIES: Readonly<Record<string, Forge>> = {
  'one constant vector': (texts) => ({
    vectors: texts.map(() => Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0)),
    tokens: texts.map((text) => Buffer.byteLength(text))
  }),
  'an invented vector for each text': (texts) => ({
    vectors: embeddingsOf(
      texts.map((text) => `not ${text}`),
      100_000
    ).vectors,
    tokens: texts.map((text) => Buffer.byteLength(text))
  })
}

class Factory extends ScriptedEngine {
  readonly #forge: Forge

  constructor(forge: Forge) {
    super()
    this.#forge = forge
  }

  override async embed(texts: readonly string[]): Promise<Embeddings> {
    return this.#forge(texts)
  }
}

export const attack: Attack = {
  title: 'serves embeddings without a model, and so is the fastest node',
  cost: 'one key',
  before: 'one constant vector won 28 of 30 requests; invented vectors won 26 of 30',

  async run({ short, note }) {
    const requests = short ? 10 : 30
    const outcomes: Outcome[] = []
    for (const [what, forge] of Object.entries(FORGERIES)) {
      const { forged, served } = await play(forge, requests)
      note(`${what}: ${forged} of ${requests} replies forged; the attacker was asked ${served} times`)
      // An invented vector shows only when other nodes have computed the same text. That takes as long as some
      // requests.
      const atMost = what === 'one constant vector' ? 0 : 3
      outcomes.push({ metric: `${what}: times that the attacker was asked`, value: served, limit: { atLeast: 1 } })
      outcomes.push({ metric: `requests of ${requests} that got ${what}`, value: forged, limit: { atMost } })
    }
    return outcomes
  }
}

async function play(forge: Forge, requests: number): Promise<{ forged: number; served: number }> {
  await using network = new AttackedNetwork()
  let served = 0
  const attacker = await network.node(
    {},
    new Factory((texts) => {
      served++
      return forge(texts)
    })
  )
  const nodes = [attacker]
  for (let honest = 0; honest < HONEST_NODES; honest++) nodes.push(await network.node({}, new HonestEngine()))
  const client = await network.client({ bootstrap: nodes.flatMap((node) => node.addresses().slice(0, 1)) })
  await client.models()
  let forged = 0
  for (let request = 0; request < requests; request++) {
    const { peerId } = await client.embed({ input: [`This is text number ${request} of the user.`] })
    if (peerId === attacker.peerId.toString()) forged++
  }
  await client.audited()
  return { forged, served }
}
