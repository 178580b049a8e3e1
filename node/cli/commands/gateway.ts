/** `potluck gateway`: the network for every app that speaks OpenAI's API, until Ctrl-C. */
import type { Client } from '@potluck/client'
import { startGateway, type Gateway } from '@potluck/gateway'

import { connect } from '../connect.ts'
import { until } from '../daemon-options.ts'
import { createLogger } from '../log.ts'
import type { CommandContext } from '../program.ts'
import { startServing, type Serving } from '../serving.ts'
import { printJson, printLine, printNote } from '../terminal/output.ts'

export async function gateway(context: CommandContext): Promise<number> {
  const { settings, interrupted } = context
  const serving = settings.localNode ? await startServing(context) : undefined
  try {
    // Finds the node of this machine, ours included, by its data directory.
    const client = await connect(context)
    try {
      const started = await start(client, context)
      tell(started, serving, context)
      await until(interrupted)
      if (!settings.json) printNote('leaving')
      await started.stop()
    } finally {
      await client.stop()
    }
    await serving?.node.drain()
  } finally {
    await serving?.node.stop()
    await serving?.engine.close()
  }
  if (settings.json) printJson({ type: 'stopped' })
  return 0
}

async function start(client: Client, { settings }: CommandContext): Promise<Gateway> {
  const { host, port, apiKey, allowHost, allowOrigin, requestsPerMinute } = settings
  const logger = createLogger(settings)
  return await startGateway({
    client,
    host,
    port,
    keys: apiKey,
    hosts: allowHost,
    origins: allowOrigin,
    limits: { requestsPerMinute },
    onFailure: (error) => logger.error({ err: error }, 'a request failed for a reason of the gateway')
  })
}

function tell({ url }: Gateway, serving: Serving | undefined, { settings }: CommandContext): void {
  const node = serving?.node.peerId.toString()
  const model = serving?.node.card().models[0]?.name
  if (settings.json) {
    printJson({ type: 'ready', url, baseUrl: `${url}/v1`, ...(node === undefined ? {} : { node, model }) })
    return
  }
  const key = settings.apiKey.length > 0 ? 'one of those given' : 'any: none is asked for'
  const lines = [
    `OpenAI's API for the network`,
    '',
    `  base URL  ${url}/v1`,
    `  key       ${key}`,
    `  model     auto, or one of those at ${url}/v1/models`,
    ...(model === undefined ? [] : [`  serving   ${model}, from this machine, to others too`]),
    '',
    'Try it:',
    `  curl ${url}/v1/chat/completions -H 'content-type: application/json' \\`,
    `    -d '{"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}'`,
    '',
    'Ctrl-C stops it.'
  ]
  printLine(lines.join('\n'))
}
