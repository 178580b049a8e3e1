/** `potluck serve`: a model for the network, until Ctrl-C. */
import { formatDigest, type Load } from '@potluck/protocol'

import type { Engine, EngineStatus } from '../../engine/index.ts'
import type { NodeEvent, PotluckNode } from '../../node.ts'
import { describeReachability } from '../../status.ts'
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
    else printLine(banner(node, engine))
    const unlisten = node.onEvent(reporter(settings.json))
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

function reporter(json: boolean): (event: NodeEvent) => void {
  let known = false
  return (event) => {
    if (json) printJson(event.type === 'advertised' ? { type: 'advertised' } : event)
    else if (event.type === 'withdrawn') printNote(`the model is withdrawn: ${event.reason}`)
    else if (event.type === 'engine') printNote(describeEngine(event.status))
    else if (!known) {
      known = true
      printNote('Others can find it now.')
    }
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

function banner(node: PotluckNode, { remembered }: Engine): string {
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
    `  potluck run --bootstrap ${bestAddress(addresses) ?? ''} "Hello"`,
    '',
    'Ctrl-C finishes running answers and leaves; twice, it leaves at once.'
  ].join('\n')
}
