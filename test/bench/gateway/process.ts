/** A client and a gateway in a separate process, so that the benchmark can measure their processor time. */
import { createClient } from '@potluck/client'
import { startGateway } from '@potluck/gateway'
import { INPUT, type FromGateway, type ToGateway } from './messages.ts'

const bootstrap = JSON.parse(process.argv[2] ?? '[]') as string[]
const client = await createClient({ bootstrap, scope: 'local', mdns: false })
const gateway = await startGateway({ client, port: 0, limits: { requestsPerMinute: 1_000_000 } })

function send(message: FromGateway): void {
  process.send?.(message)
}

/** Requests the same answer as the benchmark does over HTTP, but with the client directly. */
async function ask(maxTokens: number, forbidden: readonly number[]): Promise<void> {
  const sampling = { temperature: 1, topP: 1, topK: 0, minP: 0 }
  const logitBias = new Map(forbidden.map((token) => [token, -100]))
  let tokens = 0
  let last = 0
  for await (const part of client.chat({ ...INPUT, ...sampling, maxTokens, logitBias })) {
    if (part.type !== 'delta') continue
    tokens += part.tokens.length
    last = part.tokens.at(-1) ?? last
  }
  send({ type: 'answered', tokens, last })
}

process.on('message', (message: ToGateway) => {
  if (message.type === 'ask') void ask(message.maxTokens, message.forbidden)
  else {
    const { user, system } = process.cpuUsage()
    send({ type: 'usage', cpuMicros: user + system })
  }
})
process.on('disconnect', () => process.exit(0))
send({ type: 'ready', url: gateway.url })
