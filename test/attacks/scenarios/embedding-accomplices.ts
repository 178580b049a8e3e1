import type { Embeddings } from '@potluck/protocol'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { embeddingsOf } from '../../scripted-engine/model.ts'
import type { Attack } from '../attack.ts'
import { onInternet } from '../internet.ts'
import { AttackedNetwork } from '../network.ts'

const HONEST_NODES = 4
/** Of one address. They confirm the vectors of the attacker's first node, which is in another subnet. */
const ACCOMPLICES = { short: 8, full: 12 }
/** So many that chance alone breaks the limit in fewer than 1 of 1,000 runs. */
const CHECKS = { short: 40, full: 300 }
/** After these, a client has checked most nodes often enough. */
const REQUESTS_OF_CLIENT = 15
const USER_TEXT = 'This text is from the user.'

/** Counts the requests without a text of the user: those that check the vector of another node. */
class HonestEngine extends ScriptedEngine {
  checks = 0

  override async embed(texts: readonly string[], signal?: AbortSignal): Promise<Embeddings> {
    if (!texts.includes(USER_TEXT)) this.checks++
    return await super.embed(texts, signal)
  }
}

/** All nodes of the attacker invent the same vectors. */
class Forger extends HonestEngine {
  override async embed(texts: readonly string[]): Promise<Embeddings> {
    const { tokens } = await super.embed(texts)
    const { vectors } = embeddingsOf(
      texts.map((text) => `not ${text}`),
      100_000
    )
    return { vectors, tokens }
  }
}

export const attack: Attack = {
  title: 'invents vectors, and lets many keys of one address confirm them in cross-checks',
  cost: '13 keys, 2 addresses; no model',
  before: 'the accomplices decided 56 % of 307 cross-checks',

  ...onInternet('embedding-accomplices', async ({ short, note }, internet) => {
    await using network = new AttackedNetwork()
    let port = 4001
    const start = async <T extends HonestEngine>(address: string, engine: T): Promise<T> => {
      const listen = [`/ip4/${internet.host(address)}/tcp/${port++}`]
      bootstrap.push(...(await network.node({ listen, announce: listen, scope: 'public' }, engine)).addresses())
      return engine
    }
    const bootstrap: string[] = []
    const honest = Array.from({ length: HONEST_NODES }, async (_, index) =>
      start(`5.${10 + index}.1.1`, new HonestEngine())
    )
    const accomplices = Array.from({ length: short ? ACCOMPLICES.short : ACCOMPLICES.full }, async () =>
      start('5.77.1.1', new Forger())
    )
    const engines = { honest: await Promise.all(honest), accomplices: await Promise.all(accomplices) }
    await start('5.66.1.1', new Forger())
    const checksBy = (some: readonly HonestEngine[]): number => some.reduce((sum, { checks }) => sum + checks, 0)

    const wanted = short ? CHECKS.short : CHECKS.full
    while (checksBy([...engines.honest, ...engines.accomplices]) < wanted) {
      const client = await network.client({ bootstrap, scope: 'public' })
      await client.models()
      for (let asked = 0; asked < REQUESTS_OF_CLIENT; asked++) {
        await client.embed({ input: [USER_TEXT] })
        await client.audited()
      }
      await client.stop()
    }
    const [byHonest, byAccomplices] = [checksBy(engines.honest), checksBy(engines.accomplices)]
    note(`cross-checks by honest nodes: ${byHonest}, by accomplices: ${byAccomplices}`)
    return [
      {
        metric: 'cross-checks that the accomplices decide, %. Their subnet is one of six',
        value: (100 * byAccomplices) / (byHonest + byAccomplices),
        limit: { atMost: 45 }
      }
    ]
  })
}
