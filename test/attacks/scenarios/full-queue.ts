import { Gate } from '../../scripted-engine/gate.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack } from '../attack.ts'
import { Call, request } from '../../peers/caller-stream.ts'
import { dial, peerAt } from '../calls.ts'
import { AttackedNetwork } from '../network.ts'

const SLOTS = 2
/** Honest callers that keep the node busy, each from a subnet of its own, with two waiting requests. */
const HONEST = 4
const GUEST = 'guest'

/**
 * Serves a queue that is busy with honest requests, and in which a guest then asks too.
 *
 * @param keys the attacker's keys, all from one address. Each sends requests before the guest and after it
 * @returns the requests that were served before the guest's, from its arrival on; undefined if the node refused it
 */
async function waitOfGuest(keys: number): Promise<number | undefined> {
  await using network = new AttackedNetwork()
  const gate = new Gate()
  const served: string[] = []
  let armed = false
  const engine = new ScriptedEngine({
    slots: SLOTS,
    reply: () => 'Yes.',
    before: async ({ kind, job }, signal) => {
      if (!armed) return
      if (kind === 'prefill') served.push(Buffer.from(job.promptTokens.slice(1)).toString())
      await gate.pass(signal)
    }
  })
  const node = await network.node({}, engine)
  armed = true
  const ask = async (address: string, prompt: string, requests: number): Promise<Call[]> => {
    const connection = await dial(await peerAt(network, address), node)
    const calls: Call[] = []
    for (let index = 0; index < requests; index++) {
      const call = await Call.open(connection, request(engine, { input: { prompt } }))
      if ((await call.next())?.type === 'accepted' && prompt === 'attack') accepted++
      calls.push(call)
    }
    return calls
  }
  let accepted = 0
  const waiting = (): boolean => accepted > 0 && node.load().queued > 2 * HONEST
  for (let index = 0; index < SLOTS; index++) await ask(`127.0.${10 + index}.1`, 'running', 1)
  await gate.holds(SLOTS)
  for (let index = 0; index < HONEST; index++) await ask(`127.0.${20 + index}.1`, `honest ${index}`, 2)
  for (let key = 0; key < keys; key++) await ask('127.0.1.1', 'attack', 1)

  const connection = await dial(await peerAt(network, '127.0.2.1'), node)
  const call = await Call.open(connection, request(engine, { input: { prompt: GUEST } }))
  const first = await call.next()
  const before = served.length
  if (keys > 0 && !waiting()) throw new Error('the queue of the node has no request of the attacker')
  for (let key = 0; key < keys; key++) await ask('127.0.1.1', 'attack', 1)
  if (first?.type !== 'accepted') return undefined
  gate.open()
  const last = await call.last()
  return last?.type === 'done' ? served.indexOf(GUEST) - before : undefined
}

export const attack: Attack = {
  title: 'fills the queue of a node with the requests of many keys of one address',
  cost: '1 address, 64 keys',
  before: 'the node refused every other caller with busy',

  async run({ short, note }) {
    const undisturbed = await waitOfGuest(0)
    const attacked = await waitOfGuest(short ? 12 : 32)
    note(`requests served before the guest's: ${undisturbed} without the attack, ${attacked ?? 'refused'} with it`)
    return [
      { metric: 'honest requests refused', value: attacked === undefined ? 1 : 0, limit: { atMost: 0 } },
      {
        metric: 'wait of an honest request / its wait without the attack, in served requests',
        value: (attacked ?? Infinity) / (undisturbed ?? NaN),
        limit: { atMost: 2 }
      }
    ]
  }
}
