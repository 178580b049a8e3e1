/** The command line, derived from the table of settings; each command is loaded when it is called. */
import { Command, InvalidArgumentError, Option } from 'commander'

import { AGENT } from '../agent.ts'
import { envOf, flagOf, SETTINGS, type CommandName, type Settings } from './settings/table.ts'
import type { Environment } from './settings/resolve.ts'

/** What a command gets of the process around it. */
export interface CommandContext {
  settings: Settings
  /** What was written behind the options. */
  words: readonly string[]
  env: Environment
  /** Fires at the first Ctrl-C or SIGTERM. */
  interrupted: AbortSignal
}

/** Returns the exit code. */
export type CommandRun = (context: CommandContext) => Promise<number>

interface CommandSpec {
  summary: string
  /** Description of the words behind the options. */
  words?: [usage: string, doc: string]
  examples: readonly string[]
  load: () => Promise<CommandRun>
}

const COMMANDS: Record<CommandName, CommandSpec> = {
  serve: {
    summary: 'serve a model to the network',
    examples: [
      'potluck serve                                    offers what fits this machine',
      'potluck serve --model ./qwen3-0.6b-q8_0.gguf     serves a file',
      'potluck serve --model hf:Qwen/Qwen3-0.6B-GGUF:Q8_0 --bootstrap /ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…'
    ],
    load: async () => (await import('./commands/serve.ts')).serve
  },
  relay: {
    summary: 'introduce peers to each other and carry what NAT would block; serves no model',
    examples: [
      'potluck relay',
      'potluck relay --announce /ip4/203.0.113.7/tcp/4001    on a server with a public address'
    ],
    load: async () => (await import('./commands/relay.ts')).relay
  },
  run: {
    summary: 'ask once and print the answer',
    words: ['[prompt...]', 'what to ask; what is piped in is added below it'],
    examples: [
      'potluck run "Why is the sky blue?"',
      'git diff | potluck run "Write a commit message for this change."',
      'potluck run --model Qwen/Qwen3-0.6B-GGUF:Q8_0 --temperature 0 "2 + 2 ="',
      'potluck run --json "Hello" | jq -j "select(.type == \\"delta\\").text"'
    ],
    load: async () => (await import('./commands/run.ts')).run
  },
  chat: {
    summary: 'talk with a model; /help says how',
    examples: ['potluck chat', 'potluck chat --model sha256:… --system "Answer in rhymes."'],
    load: async () => (await import('./commands/chat.ts')).chat
  },
  gateway: {
    summary: "serve OpenAI's API on this machine, answered by the network",
    examples: [
      'potluck gateway                       then set the base URL of an app to http://127.0.0.1:4003/v1',
      'potluck gateway --local-node          serves a model too, and answers from it where nobody else does',
      'POTLUCK_API_KEY=… potluck gateway --host 0.0.0.0 --allow-host potluck.lan'
    ],
    load: async () => (await import('./commands/gateway.ts')).gateway
  },
  nodes: {
    summary: 'list the nodes that serve now, and what this machine thinks of them',
    words: ['[peer]', 'a peer id, or the end of one: why this machine thinks so of it'],
    examples: [
      'potluck nodes',
      'potluck nodes …8JhkT2qA',
      'potluck nodes 8JhkT2qA --proof cheat.proof',
      'potluck nodes --json'
    ],
    load: async () => (await import('./commands/nodes.ts')).nodes
  },
  models: {
    summary: 'list the models that are served now',
    examples: ['potluck models'],
    load: async () => (await import('./commands/models.ts')).models
  },
  status: {
    summary: 'how the node on this machine is doing',
    examples: ['potluck status', 'potluck status --data-dir /srv/potluck --json'],
    load: async () => (await import('./commands/status.ts')).status
  },
  audit: {
    summary: 'check a fraud proof, from the file and the model alone',
    words: ['<proof>', 'the file with the proof'],
    examples: ['potluck audit 12D3KooW….proof', 'potluck audit 12D3KooW….proof --model ./qwen3-0.6b-q8_0.gguf'],
    load: async () => (await import('./commands/audit.ts')).audit
  }
}

const ABOUT = `A network of volunteers that serve language models to each other.

Serve what your machine can run, and ask what others serve. On one local network peers find each other by themselves; \
across the internet, give the address of one peer with --bootstrap.`

const START = `
Start:
  potluck serve                 serve a model from this machine
  potluck run "Hello"           ask, from this machine or another on the network
  potluck chat                  talk
  potluck gateway               use it from apps, through OpenAI's API

Settings come from flags, then POTLUCK_… variables, then the config file
($XDG_CONFIG_HOME/potluck/config.toml, or --config), then defaults.
\`potluck COMMAND --help\` explains those of a command.`

/** @param execute runs a command with what was given on its command line */
export function createProgram(
  execute: (
    run: () => Promise<CommandRun>,
    given: { flags: Partial<Settings>; words: string[]; config?: string }
  ) => Promise<void>
): Command {
  const program = new Command('potluck')
    .description(ABOUT)
    .version(AGENT.replace('/', ' '), '--version', 'print the version')
    .helpOption('--help', 'explain')
    .helpCommand(false)
    .addHelpText('after', START)
    .exitOverride()
    .showSuggestionAfterError()
  for (const name of Object.keys(COMMANDS) as CommandName[]) {
    const { summary, words, examples, load } = COMMANDS[name]
    const command = program
      .command(name)
      .summary(summary)
      .description(`${capitalized(summary)}.`)
    if (words !== undefined) command.argument(...words)
    else command.allowExcessArguments(false)
    const names = (Object.keys(SETTINGS) as (keyof Settings)[]).filter((setting) =>
      SETTINGS[setting].commands.includes(name)
    )
    const attributes = new Map(names.map((setting) => [setting, addOptions(command, setting)]))
    command
      .option('--config <file>', 'config file (default: $XDG_CONFIG_HOME/potluck/config.toml; env: POTLUCK_CONFIG)')
      .helpOption('--help', 'explain')
      .addHelpText('after', `\nExamples:\n${examples.map((example) => `  ${example}`).join('\n')}`)
      .exitOverride()
      .action(async () => {
        const options: Record<string, unknown> = command.opts()
        const given = [...attributes].filter(([, attribute]) => command.getOptionValueSource(attribute) === 'cli')
        await execute(load, {
          flags: Object.fromEntries(given.map(([setting, attribute]) => [setting, options[attribute]])),
          words: command.args,
          ...(typeof options.config === 'string' ? { config: options.config } : {})
        })
      })
  }
  return program
}

/** Adds a setting's flags; returns the name under which commander keeps their value. */
function addOptions(command: Command, name: keyof Settings): string {
  const { kind, default: fallback, doc } = SETTINGS[name]
  const text = `${doc} (${describeDefault(name)}env: ${envOf(name)})`
  if (kind.placeholder === undefined) {
    const option = new Option(flagOf(name), text)
    command.addOption(option)
    if (fallback !== false) command.option(flagOf(name).replace('--', '--no-'), 'the opposite')
    return option.attributeName()
  }
  const option = new Option(`${flagOf(name)} <${kind.placeholder}>`, kind.many ? `${text}; may be repeated` : text)
  command.addOption(
    option.argParser((value: string, previous: unknown) => {
      if (kind.many) return [...(Array.isArray(previous) ? previous : []), value]
      try {
        return kind.parse(value)
      } catch (error) {
        throw new InvalidArgumentError(error instanceof Error ? `${error.message}.` : '')
      }
    })
  )
  return option.attributeName()
}

function describeDefault(name: keyof Settings): string {
  const { default: fallback, defaultText } = SETTINGS[name]
  const words = defaultText ?? (fallback === undefined || fallback === false ? undefined : String(fallback))
  return words === undefined ? '' : `default: ${words}; `
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
