/** A network whose model behaves like an agent: it calls one tool, and then repeats what the tool returned. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { onTestFinished } from 'vitest'

import { gateway } from '../e2e/gateway/harness.ts'
import { node } from '../e2e/node/harness.ts'
import { ScriptedEngine } from '../scripted-engine/engine.ts'

/** Agents send up to 40,000 characters, and each byte is a token of the scripted model. */
const CONTEXT = 200_000
const WORDS = 'potluck-answered'
/** The shell removes the quotes, so the words are in the prompt only after the command ran. */
const COMMAND = `echo potluck-"answered"`

/** The answer of the model after it read the tool's result. */
export const LAST_WORDS: string = `The command printed ${WORDS}.`

export interface AgentNetwork {
  /** The base URL for OpenAI's SDKs, which ends in `/v1`. */
  baseURL: string
  /** An empty folder for the client's work and settings. */
  folder: string
}

/**
 * Starts the network. It stops with the test.
 *
 * @param tool the name of the client's tool that runs a shell command
 * @param toArguments returns the tool's arguments for the command
 */
export async function agentNetwork(tool: string, toArguments: (command: string) => object): Promise<AgentNetwork> {
  const call = JSON.stringify({ name: tool, arguments: toArguments(COMMAND) })
  const reply = (prompt: string): string => {
    if (prompt.includes(WORDS)) return LAST_WORDS
    // The client also asks for other answers, such as a title of the conversation, without tools.
    return prompt.includes(`"${tool}"`) ? `I run a command.<tool_call>\n${call}\n</tool_call>` : 'A title'
  }
  const { url } = await gateway([await node(new ScriptedEngine({ contextLength: CONTEXT, reply }))])
  const folder = await mkdtemp(join(tmpdir(), 'potluck-client-'))
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }))
  return { baseURL: `${url}/v1`, folder }
}
