/** `potluck serve`: a model for the network, until Ctrl-C. */
import { formatDigest, type Load } from '@potluck/protocol'

import type { Engine, EngineStatus } from '../../engine/index.ts'
import type { NodeEvent, PotluckNode } from '../../node.ts'
import { describeReachability } from '../../control/status.ts'
import { bestAddress, until } from '../daemon-options.ts'
import type { CommandContext } from '../program.ts'
import { startServing } from '../serving.ts'
import { printJson, printLine, printNote } from '../terminal/output.ts'
import { parameters, rate } from '../terminal/units.ts'

export async function serve(context: CommandContext): Promise<number> {
  const { settings, interrupted } = context
  const { node, engine } = await startServing(context)
  try {
    if (settings.json) printJson(readyJson(node, engine))
    else printLine(banner(node, engine, settings.bootstrap))
    const unlisten = node.onEvent(reporter(node, settings.json))
    await until(interrupted)
    unlisten()
    if (settings.json) printJson({ type: 'draining' })
    else printNote(leaving(node.load()))
    await node.drain()
  } finally {
    await engine.close()
  }
  if (settings.json) printJson({ type: 'stopped' })
  return 0
}

function reporter(node: PotluckNode, json: boolean): (event: NodeEvent) => void {
  let told: string | undefined
  return (event) => {
    if (event.type === 'advertised') {
      // A place on a relay is found after the start, and may be lost and found again.
      const reachability = describeReachability(node.addresses())
      if (json) printJson({ type: 'advertised', reachability })
      else if (reachability !== told) printNote(`Others can find it now. Reachable ${reachability}.`)
      told = reachability
    } else if (json) printJson(event)
    else if (event.type === 'withdrawn') printNote(`the model is withdrawn: ${event.reason}`)
    else printNote(describeEngine(event.status))
  }
}

function describeEngine(status: EngineStatus): string {
  switch (status.state) {
    case 'ready':
      return 'the engine is back'
    case 'restarting':
      return 'the engine crashed and starts again'
    case 'failed':
      return `the engine failed: ${status.reason}`
  }
}

function readyJson(node: PotluckNode, { remembered }: Engine): object {
  const { models, hardware, slots } = node.card()
  return {
    type: 'ready',
    peerId: node.peerId.toString(),
    addresses: node.addresses(),
    reachability: describeReachability(node.addresses()),
    models: models.map((model) => ({ ...model, digest: formatDigest(model.digest) })),
    hardware,
    slots,
    remembered
  }
}

function leaving({ active, queued }: Load): string {
  const left = active + queued
  return left === 0 ? 'leaving' : `finishing ${left} ${left === 1 ? 'answer' : 'answers'}; Ctrl-C again leaves at once`
}

/** @param bootstrap what leads others to this node too, wherever they are; its own addresses may not */
function banner(node: PotluckNode, { remembered }: Engine, [bootstrap]: readonly string[]): string {
  const { models, hardware, slots } = node.card()
  const [model] = models
  const addresses = node.addresses()
  const lines = [
    ['peer', node.peerId.toString()],
    ...(model === undefined
      ? []
      : [
          ['model', model.name],
          ['digest', formatDigest(model.digest)],
          ['', `${parameters(model.parameters)} parameters, ${model.quantization}, context ${model.contextLength}`],
          ['speed', `prefill ${rate(model.prefillTokensPerSecond)}, decode ${rate(model.decodeTokensPerSecond)}`]
        ]),
    ['slots', `${slots} answers at once, ${remembered} conversations remembered beside them`],
    ['hardware', `${hardware.accelerator}, ${hardware.device}`],
    ...addresses.map((address, index) => [index === 0 ? 'addresses' : '', address]),
    ['reachable', describeReachability(addresses)]
  ].map(([head = '', text = '']) => `  ${head.padEnd(10)}${text}`)
  return [
    `Serving ${model?.name ?? 'nothing'}`,
    '',
    ...lines,
    '',
    'Ask it, here or from another machine:',
    `  potluck run --bootstrap ${bootstrap ?? bestAddress(addresses) ?? ''} "Hello"`,
    '',
    'Ctrl-C finishes running answers and leaves; twice, it leaves at once.'
  ].join('\n')
}
