import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack } from '../attack.ts'
import { Call, request } from '../../peers/caller-stream.ts'
import { dial, peerAt } from '../calls.ts'
import { AttackedNetwork } from '../network.ts'

/** Callers from other addresses. Each connects before the attack continues, and asks after it. */
const HONEST = 3

export const attack: Attack = {
  title: 'holds all connections of a node with idle keys of one address, and dials again with new keys',
  cost: '1 address, 2 keys for each connection of the node',
  before: 'the node refused the connections of all other callers',

  async run({ short, note }) {
    await using network = new AttackedNetwork()
    const engine = new ScriptedEngine({ reply: () => 'Yes.' })
    const connections = short ? 12 : 96
    const node = await network.node({ limits: { connections } }, engine)
    const hold = async (): Promise<number> => {
      let held = 0
      for (let key = 0; key < connections; key++) {
        const peer = await peerAt(network, '127.0.1.1')
        await dial(peer, node).then(
          () => held++,
          () => undefined
        )
      }
      return held
    }
    const held = await hold()
    note(`the attacker opened ${held} of ${connections} connections`)
    const outcomes = { answered: 0, kept: 0 }
    for (let index = 0; index < HONEST; index++) {
      const honest = await peerAt(network, `127.0.${2 + index}.1`)
      try {
        const connection = await dial(honest, node)
        // The caller is idle now, like the attacker's keys.
        if (index === 0) await hold()
        if (connection.status === 'open') outcomes.kept++
        const call = await Call.open(await dial(honest, node), request(engine))
        if ((await call.last())?.type === 'done') outcomes.answered++
      } catch (error) {
        note(`an honest caller failed: ${String(error)}`)
      }
    }
    const percent = (count: number): number => (100 * count) / HONEST
    return [
      { metric: 'connections that the attacker opened at first', value: held, limit: { atLeast: connections / 2 } },
      { metric: 'honest requests answered, %', value: percent(outcomes.answered), limit: { atLeast: 100 } },
      { metric: 'honest idle connections kept, %', value: percent(outcomes.kept), limit: { atLeast: 100 } }
    ]
  }
}
