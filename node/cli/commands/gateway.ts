/** `potluck gateway`: serves the APIs of OpenAI, Anthropic and Ollama on this machine until Ctrl-C. */
import type { Client } from '@potluck/client'
import { startGateway, type Gateway } from '@potluck/gateway'
import { clockWarning } from '@potluck/protocol'

import { connect } from '../client/connect.ts'
import { createLogger } from '../daemon/log.ts'
import { checkPort } from '../daemon/preflight.ts'
import { startServing, stopped, type Serving } from '../daemon/serving.ts'
import { until, type CommandContext } from '../settings/context.ts'
import { labelled, printJson, printLine, printNote, printNotice } from '../terminal/output.ts'

export async function gateway(context: CommandContext): Promise<number> {
  const { settings, interrupted } = context
  if (!settings.localNode && settings.serveModel.length > 0) {
    printNotice(
      'The gateway ignores --model, because it is the model that this machine serves with --local-node. Each request names its model.',
      settings.json
    )
  }
  await checkPort(settings.host, settings.port, '--port')
  const serving = settings.localNode ? await startServing(context) : undefined
  try {
    // `startServing` has started a node. The client finds this node through the data directory.
    const logger = createLogger(settings)
    const client = await connect(context, {
      onClockSkew: (skew) => {
        if (skew !== undefined) logger.warn(clockWarning(skew))
      }
    })
    try {
      const started = await start(client, context)
      announce(started, serving, context)
      serving?.node.onEvent((event) => {
        if (event.type === 'problem') logger.warn(event.message)
      })
      await (serving === undefined ? until(interrupted) : stopped(serving.node, interrupted))
      if (!settings.json) printNote('Stopping.')
      await started.stop()
    } finally {
      await client.stop()
    }
    await serving?.node.drain()
  } finally {
    await serving?.node.stop()
    await serving?.closeEngines()
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
    onFailure: (error) => logger.error({ err: error }, 'a request failed because of an error in the gateway')
  })
}

function announce({ url }: Gateway, serving: Serving | undefined, { settings }: CommandContext): void {
  const node = serving?.node.peerId.toString()
  const models = serving?.node.card().models.map(({ name }) => name)
  if (settings.json) {
    printJson({ type: 'ready', url, baseUrl: `${url}/v1`, ...(node === undefined ? {} : { node, models }) })
    return
  }
  const rows = labelled([
    ['base URL', `${url}/v1 for OpenAI's API, ${url} for the others`],
    ['key', settings.apiKey.length > 0 ? 'a key from --api-key' : 'any text: the gateway does not check it'],
    ['model', `auto, or a model from ${url}/v1/models`],
    ...(models === undefined ? [] : [['serving', `${models.join(', ')}, also to other peers`]])
  ])
  const lines = [
    'Serving the APIs of OpenAI, Anthropic and Ollama from the network',
    '',
    ...rows.map((row) => `  ${row}`),
    '',
    'Try it:',
    `  curl ${url}/v1/chat/completions -H 'content-type: application/json' \\`,
    `    -d '{"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}'`,
    '',
    'Press Ctrl-C to stop.'
  ]
  printLine(lines.join('\n'))
}
