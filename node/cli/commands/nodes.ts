/** `potluck nodes`: who serves now, and what this machine thinks of them; of one of them, why. */
import { writeFile } from 'node:fs/promises'

import type { Client, KnownNode, PeerStanding } from '@potluck/client'
import { formatDigest } from '@potluck/protocol'

import { connect } from '../connect.ts'
import { EXIT_USAGE, Failure } from '../failure.ts'
import type { CommandContext } from '../program.ts'
import { printJson, printLine, printNote } from '../terminal/output.ts'
import { standingSentence, standingWord } from '../terminal/standing.ts'
import { table } from '../terminal/table.ts'
import { bytes, duration, rate, shortDigest, shortPeer } from '../terminal/units.ts'

export async function nodes(context: CommandContext): Promise<number> {
  const { settings, words } = context
  const [peer] = words
  if (settings.proof !== undefined && peer === undefined) {
    throw new Failure('whose proof? Name the node: `potluck nodes PEER --proof FILE`', { exitCode: EXIT_USAGE })
  }
  const client = await connect(context)
  try {
    if (peer === undefined) await list(client, context)
    else await explain(client, peer, context)
  } finally {
    await client.stop()
  }
  return 0
}

async function list(client: Client, { settings, interrupted }: CommandContext): Promise<void> {
  const found: KnownNode[] = []
  const standingsOf = ({ card }: KnownNode): PeerStanding[] =>
    client.standing().filter(({ peerId }) => peerId === card.peerId.toString())
  for await (const node of client.nodes({ signal: interrupted })) {
    found.push(node)
    if (settings.json) printJson({ ...nodeJson(node), standing: standingsOf(node) })
  }
  if (settings.json) return
  if (found.length === 0) return printNote('no node serves now; start one with `potluck serve`')
  const standings = client.standing()
  printLine(
    table(
      HEADS,
      found.flatMap((node) => nodeRows(node, standings))
    )
  )
  const known = standings.filter(({ seen, answers, auditedTokens }) => seen && answers + auditedTokens > 0)
  if (known.length === 0) return
  printLine()
  for (const one of known) printLine(`${shortPeer(one.peerId)}  ${standingSentence(one)}`)
}

async function explain(client: Client, peer: string, { settings }: CommandContext): Promise<void> {
  const end = peer.replace(/^…/, '')
  const standings = client.standing().filter(({ peerId }) => peerId.endsWith(end))
  if (standings.length === 0) {
    throw new Failure(`nothing is known of a node ${peer}; \`potluck nodes\` lists those that serve now`)
  }
  const proof = client.proofs().find(({ peerId }) => peerId.endsWith(end))
  if (settings.proof !== undefined) {
    if (proof === undefined) {
      throw new Failure(`there is no proof against ${peer}: a proof is made of shareable answers that banned a node`)
    }
    await writeFile(settings.proof, proof.bytes)
    printNote(`${settings.proof} shows ${proof.answers} questions and answers; \`potluck audit\` checks it`)
    return
  }
  for (const one of standings) {
    if (settings.json) {
      printJson(one)
      continue
    }
    const { peerId, model, reasons } = one
    printLine(`${peerId} with ${model.name ?? shortDigest(model.digest)}: ${standingWord(one)}`)
    for (const reason of reasons) printLine(`  ${reason}`)
  }
  if (proof !== undefined && !settings.json) {
    printNote(`\`potluck nodes ${shortPeer(proof.peerId)} --proof FILE\` writes the answers that prove it`)
  }
}

const HEADS = [
  'node',
  'standing',
  'model',
  'quant',
  'context',
  'hardware',
  'memory',
  'prefill',
  'decode',
  'load',
  'round trip'
]

function nodeRows({ card, load, roundTripMs }: KnownNode, standings: readonly PeerStanding[]): string[][] {
  const { hardware } = card
  return card.models.map((model) => {
    const digest = formatDigest(model.digest)
    const standing = standings.find((one) => one.peerId === card.peerId.toString() && one.model.digest === digest)
    return [
      card.peerId.toString(),
      standing === undefined ? '-' : standingWord(standing),
      model.name,
      model.quantization,
      String(model.contextLength),
      `${hardware.accelerator}, ${hardware.device}`,
      bytes(hardware.vramBytes > 0 ? hardware.vramBytes : hardware.ramBytes),
      rate(model.prefillTokensPerSecond),
      rate(model.decodeTokensPerSecond),
      card.draining ? 'leaving' : `${load.active}/${load.slots}${load.queued > 0 ? ` +${load.queued}` : ''}`,
      duration(roundTripMs)
    ]
  })
}

function nodeJson({ card, load, roundTripMs }: KnownNode): object {
  return {
    ...card,
    peerId: card.peerId.toString(),
    models: card.models.map((model) => ({ ...model, digest: formatDigest(model.digest) })),
    load,
    roundTripMs
  }
}
