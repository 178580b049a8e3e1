/** A network for one test of a client: a node with a scripted engine, and a gateway. Both stop with the test. */
import type { Gateway, GatewayOptions } from '@potluck/gateway'

import { gateway } from '../e2e/gateway/harness.ts'
import { node } from '../e2e/node/harness.ts'
import { ScriptedEngine } from '../scripted-engine/engine.ts'
import type { ScriptedOptions } from '../scripted-engine/script.ts'

/** The name of the model that the node serves. */
export const MODEL = 'potluck/scripted:F32'

/**
 * Long enough for the prompts of agents. The scripted engine has a token for each byte, and an agent sends up to 100
 * KB.
 */
const CONTEXT = 200_000

/** Starts a gateway to one node, which answers every prompt with this text, or with the text for this prompt. */
export async function clientNetwork(
  reply: string | ((prompt: string) => string),
  { engine = {}, ...options }: Partial<GatewayOptions> & { engine?: ScriptedOptions } = {}
): Promise<Gateway & { failures: unknown[] }> {
  const scripted = new ScriptedEngine({
    contextLength: CONTEXT,
    reply: typeof reply === 'string' ? () => reply : reply,
    ...engine
  })
  return await gateway([await node(scripted)], options)
}

/** What a model writes to call tools, in the format of the scripted engine. */
export function callText(...calls: { name: string; arguments: object }[]): string {
  return `<tool_call>\n${calls.map((call) => JSON.stringify(call)).join('\n</tool_call>\n<tool_call>\n')}\n</tool_call>`
}
