/** `potluck nodes`: who serves now. */
import type { NodeView } from '@potluck/client'
import { formatDigest } from '@potluck/protocol'

import { connect } from '../connect.ts'
import type { CommandContext } from '../program.ts'
import { printJson, printLine, printNote } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { bytes, duration, rate } from '../terminal/units.ts'

export async function nodes(context: CommandContext): Promise<number> {
  const { settings, interrupted } = context
  const client = await connect(context)
  const found: NodeView[] = []
  try {
    for await (const node of client.nodes({ signal: interrupted })) {
      found.push(node)
      if (settings.json) printJson(nodeJson(node))
    }
  } finally {
    await client.stop()
  }
  if (settings.json) return 0
  if (found.length > 0) printLine(table(HEADS, found.flatMap(nodeRows)))
  else printNote('no node serves now; start one with `potluck serve`')
  return 0
}

const HEADS = ['node', 'model', 'quant', 'context', 'hardware', 'memory', 'prefill', 'decode', 'load', 'round trip']

function nodeRows({ card, load, roundTripMs }: NodeView): string[][] {
  const { hardware } = card
  return card.models.map((model) => [
    card.peerId.toString(),
    model.name,
    model.quantization,
    String(model.contextLength),
    `${hardware.accelerator}, ${hardware.device}`,
    bytes(hardware.vramBytes > 0 ? hardware.vramBytes : hardware.ramBytes),
    rate(model.prefillTokensPerSecond),
    rate(model.decodeTokensPerSecond),
    card.draining ? 'leaving' : `${load.active}/${load.slots}${load.queued > 0 ? ` +${load.queued}` : ''}`,
    duration(roundTripMs)
  ])
}

function nodeJson({ card, load, roundTripMs }: NodeView): object {
  return {
    ...card,
    peerId: card.peerId.toString(),
    models: card.models.map((model) => ({ ...model, digest: formatDigest(model.digest) })),
    load,
    roundTripMs
  }
}
