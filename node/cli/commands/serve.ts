/** `potluck serve`: serves a model to the network until Ctrl-C. */
import { formatDigest, type Load } from '@potluck/protocol'

import type { Engine, EngineStatus } from '../../engine/index.ts'
import type { NodeEvent, PotluckNode } from '../../node.ts'
import type { Problem } from '../../problems.ts'
import { describeReachability } from '../../control/status.ts'
import { bestAddress } from '../daemon/reach.ts'
import { startServing, stopped } from '../daemon/serving.ts'
import { startWeb, type Web } from '../web/web.ts'
import type { CommandContext } from '../settings/context.ts'
import { messageOf } from '../terminal/errors.ts'
import { labelled, printJson, printLine, printNote, printNotice } from '../terminal/output.ts'
import { count, hardwareDetails, parameters, rate } from '../terminal/units.ts'

export async function serve(given: CommandContext): Promise<number> {
  const [serveModel = given.settings.serveModel] = given.words
  const context = { ...given, settings: { ...given.settings, serveModel } }
  const { settings, interrupted } = context
  const { node, engine } = await startServing(context)
  let web: Web | undefined
  try {
    if (settings.json) printJson(readyJson(node, engine))
    else printLine(banner(node, engine, settings.bootstrap))
    for (const problem of node.problems()) printProblem(problem, settings.json)
    const stopListening = node.onEvent(reporter(node, settings.json))
    const ended = stopped(node, interrupted)
    web = settings.page ? await startPage(context) : undefined
    await ended
    stopListening()
    if (settings.json) printJson({ type: 'draining' })
    else printNote(describeDrain(node.load()))
    await web?.stop()
    await node.drain()
  } finally {
    await web?.stop()
    await engine.close()
  }
  if (settings.json) printJson({ type: 'stopped' })
  return 0
}

/** The node also serves without its page, for example if another program uses the port. */
async function startPage(context: CommandContext): Promise<Web | undefined> {
  try {
    const web = await startWeb(context)
    if (context.settings.json) printJson({ type: 'page', url: web.url })
    else printNote(`Page for your browser: ${web.url}/. The APIs of \`potluck gateway\` are there too.`)
    return web
  } catch (error) {
    if (!context.interrupted.aborted)
      printNotice(`The node runs without a page: ${messageOf(error)}.`, context.settings.json)
    return undefined
  }
}

function reporter(node: PotluckNode, json: boolean): (event: NodeEvent) => void {
  let reported: string | undefined
  return (event) => {
    if (event.type === 'advertised') {
      // The reachability can change, because a node reserves a place at a relay after its start and can lose it again.
      const reachability = describeReachability(node.addresses())
      if (json) printJson({ type: 'advertised', reachability })
      else if (reachability !== reported) printNote(`Other peers can find the node now. Reachable ${reachability}.`)
      reported = reachability
    } else if (event.type === 'problem') printProblem(event, json)
    else if (event.type === 'stop') return
    else if (json) printJson(event)
    else if (event.type === 'paused') printNote('Paused: the node takes no new requests.')
    else if (event.type === 'resumed') printNote('Resumed: the node takes requests again.')
    else if (event.type === 'withdrawn') printNote(`The node no longer serves the model: ${event.reason}`)
    else printNote(describeEngine(event.status))
  }
}

function printProblem({ kind, message }: Problem, json: boolean): void {
  if (json) printJson({ type: 'problem', kind, message })
  else printNote(message)
}

function describeEngine(status: EngineStatus): string {
  switch (status.state) {
    case 'ready':
      return 'The engine is ready again.'
    case 'restarting':
      return 'The engine crashed and restarts.'
    case 'failed':
      return `The engine failed: ${status.reason}`
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

function describeDrain({ active, queued }: Load): string {
  const running = active + queued
  return running === 0 ? 'Stopping.' : `Finishing ${count(running, 'answer')}. Press Ctrl-C again to stop at once.`
}

/** @param bootstrap addresses through which the node joined. Other peers can use them too, even if it is behind NAT */
function banner(node: PotluckNode, { remembered }: Engine, [bootstrap]: readonly string[]): string {
  const { models, hardware, slots } = node.card()
  const [model] = models
  const addresses = node.addresses()
  const rows = labelled([
    ['peer', node.peerId.toString()],
    ...(model === undefined
      ? []
      : [
          ['model', model.name],
          ['digest', formatDigest(model.digest)],
          ['', `${parameters(model.parameters)} parameters, ${model.quantization}, context ${model.contextLength}`],
          ['speed', `prefill ${rate(model.prefillTokensPerSecond)}, decode ${rate(model.decodeTokensPerSecond)}`]
        ]),
    ['slots', `${slots} for answers, and memory for ${count(remembered, 'more conversation')}`],
    ['hardware', hardwareDetails(hardware)],
    ...addresses.map((address, index) => [index === 0 ? 'addresses' : '', address]),
    ['reachable', describeReachability(addresses)]
  ])
  return [
    `Serving ${model?.name ?? 'nothing'}`,
    '',
    ...rows.map((row) => `  ${row}`),
    '',
    'Ask it from this machine or another one:',
    `  potluck run --bootstrap ${bootstrap ?? bestAddress(addresses) ?? ''} "Hello"`,
    '',
    'Press Ctrl-C to finish the running answers and stop. Press it twice to stop at once.'
  ].join('\n')
}
