/**
 * Every setting, once: its name gives the flag (`--data-dir`), the environment variable
 * (`POTLUCK_DATA_DIR`) and the key of the config file (`data-dir`). Help, docs and checks derive from here.
 */
import type { Mode } from '@potluck/client'
import type { Scope } from '@potluck/protocol'

import { choice, integer, list, number, seed, text, toggle, type Kind } from './kinds.ts'

export type CommandName = 'serve' | 'relay' | 'run' | 'chat' | 'gateway' | 'nodes' | 'models' | 'status' | 'audit'

export interface Settings {
  bootstrap: readonly string[]
  mdns: boolean | undefined
  scope: Scope | undefined
  mode: Mode
  trusted: readonly string[]
  listen: readonly string[]
  announce: readonly string[]
  dataDir: string | undefined
  serveModel: string | undefined
  auditModel: string | undefined
  model: string | undefined
  name: string | undefined
  sha256: string | undefined
  slots: number | undefined
  conversations: number | undefined
  context: number | undefined
  threads: number | undefined
  gpu: 'auto' | 'off'
  metricsPort: number | undefined
  host: string
  port: number
  apiKey: readonly string[]
  allowHost: readonly string[]
  allowOrigin: readonly string[]
  requestsPerMinute: number
  localNode: boolean
  logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent'
  system: string | undefined
  maxTokens: number | undefined
  temperature: number | undefined
  topK: number | undefined
  topP: number | undefined
  minP: number | undefined
  presencePenalty: number | undefined
  frequencyPenalty: number | undefined
  seed: bigint | undefined
  stop: readonly string[]
  shareable: boolean
  otherModels: boolean
  raw: boolean
  proof: string | undefined
  remember: boolean
  json: boolean
}

export interface Setting<T> {
  kind: Kind<NonNullable<T>>
  default: T
  /** The default in words, where the value alone does not tell. */
  defaultText?: string
  doc: string
  commands: readonly CommandName[]
  /** Where it is not the name's own. */
  flag?: string
}

const ASK: readonly CommandName[] = ['run', 'chat']
const FIND: readonly CommandName[] = [...ASK, 'gateway', 'nodes', 'models']
/** A gateway may have a node of its own. */
const SERVE: readonly CommandName[] = ['serve', 'gateway']
const DAEMON: readonly CommandName[] = ['serve', 'relay']
const EVALUATE: readonly CommandName[] = [...SERVE, 'audit']
const ALL: readonly CommandName[] = [...DAEMON, ...FIND, 'status', 'audit']

export const SETTINGS: { readonly [K in keyof Settings]: Setting<Settings[K]> } = {
  bootstrap: {
    kind: list('multiaddr'),
    default: [],
    defaultText: 'none: a node on this machine, and mDNS',
    doc: 'peers that lead into the network, as /ip4/…/tcp/…/p2p/…',
    commands: [...DAEMON, ...FIND]
  },
  mdns: {
    kind: toggle,
    default: undefined,
    defaultText: 'yes; to ask, only where no bootstrap address is given',
    doc: 'find peers on the local network, and be found there',
    commands: [...DAEMON, ...FIND]
  },
  scope: {
    kind: choice<Scope>('local', 'public'),
    default: undefined,
    defaultText:
      'public if a bootstrap or announced address is public, or an interface of a relay that is given neither',
    doc: 'whether private addresses are used (a LAN, a testnet) or left out (the internet)',
    commands: [...DAEMON, ...FIND]
  },
  mode: {
    kind: choice<Mode>('open', 'trusted', 'local'),
    default: 'open',
    doc: 'who may be asked: all but those whom audits speak against, only trusted nodes and the own one, or that alone',
    commands: FIND
  },
  trusted: {
    kind: list('peer id'),
    default: [],
    defaultText: 'none',
    doc: 'nodes that need no trial before they are asked like others',
    commands: FIND
  },
  listen: {
    kind: list('multiaddr'),
    default: [],
    defaultText: 'TCP and WebSocket on all interfaces; a relay on ports 4001 and 4002, a node on free ones',
    doc: 'addresses to listen on, as /ip4/0.0.0.0/tcp/4001',
    commands: [...DAEMON, 'gateway']
  },
  announce: {
    kind: list('multiaddr'),
    default: [],
    defaultText: 'those listened on; on the internet those of relays',
    doc: 'addresses at which others reach this one: a public one, or that of a forwarded port',
    commands: [...DAEMON, 'gateway']
  },
  dataDir: {
    kind: text('path'),
    default: undefined,
    defaultText: '$XDG_DATA_HOME/potluck',
    doc: 'where keys, what the DHT keeps, and downloaded models are kept',
    commands: [...DAEMON, ...FIND, 'status', 'audit']
  },
  serveModel: {
    kind: text('model'),
    default: undefined,
    defaultText: 'asks what shall be downloaded, or serves crumb',
    doc: 'what to serve: a GGUF file, a URL, hf:user/repo:QUANT, or crumb',
    commands: SERVE,
    flag: '--model'
  },
  auditModel: {
    kind: text('file'),
    default: undefined,
    defaultText: 'crumb, if the proof is about it',
    doc: 'GGUF file of the model that the proof is about',
    commands: ['audit'],
    flag: '--model'
  },
  model: {
    kind: text('model'),
    default: undefined,
    defaultText: 'auto, the best that is served now',
    doc: 'what to ask: a name (user/repo:QUANT) or a digest (sha256:…), which alone says which weights',
    commands: ASK
  },
  name: {
    kind: text('user/repo:QUANT'),
    default: undefined,
    defaultText: 'from where it came',
    doc: 'the name under which the model is offered',
    commands: SERVE
  },
  sha256: {
    kind: text('digest'),
    default: undefined,
    doc: 'digest that the model file must have, or it is not served',
    commands: SERVE
  },
  slots: {
    kind: integer(1, 256),
    default: undefined,
    defaultText: 'by the hardware',
    doc: 'answers generated at once; each takes memory for a context of its own',
    commands: SERVE
  },
  conversations: {
    kind: integer(0, 255),
    default: undefined,
    defaultText: 'as many as fit half of the free memory, up to 48',
    doc: 'conversations remembered beside those in the slots, whose next turn is quick; each takes memory for a context',
    commands: SERVE
  },
  context: {
    kind: integer(16, 16_777_216),
    default: undefined,
    defaultText: 'by the model and the hardware',
    doc: 'tokens of prompt and answer together that one slot holds',
    commands: SERVE
  },
  threads: {
    kind: integer(1, 1024),
    default: undefined,
    defaultText: 'by the hardware',
    doc: 'processor threads of the engine; leave one core free',
    commands: EVALUATE
  },
  gpu: {
    kind: choice('auto', 'off'),
    default: 'auto',
    doc: 'whether a GPU may be used',
    commands: EVALUATE
  },
  metricsPort: {
    kind: integer(0, 65_535),
    default: undefined,
    defaultText: 'no port',
    doc: 'serve /metrics, /healthz and /readyz on 127.0.0.1; 0 takes a free port',
    commands: ['serve']
  },
  host: {
    kind: text('address'),
    default: '127.0.0.1',
    doc: "where OpenAI's API listens; any address but this machine's own needs a key",
    commands: ['gateway']
  },
  port: {
    kind: integer(0, 65_535),
    default: 4003,
    doc: "port of OpenAI's API; 0 takes a free one",
    commands: ['gateway']
  },
  apiKey: {
    kind: list('key'),
    default: [],
    defaultText: 'none: any is accepted',
    doc: 'keys that callers have to send; better in the environment, where others do not see them',
    commands: ['gateway']
  },
  allowHost: {
    kind: list('name'),
    default: [],
    defaultText: 'localhost, and addresses',
    doc: 'names under which the gateway may be called, such as potluck.lan',
    commands: ['gateway']
  },
  allowOrigin: {
    kind: list('origin'),
    default: [],
    defaultText: 'none',
    doc: 'web pages that may use the gateway, as https://app.example',
    commands: ['gateway']
  },
  requestsPerMinute: {
    kind: integer(1, 1_000_000),
    default: 600,
    doc: 'most requests a minute for each key, or for all callers where there is none',
    commands: ['gateway']
  },
  localNode: {
    kind: toggle,
    default: false,
    doc: 'serve a model from this machine too, as `potluck serve` does',
    commands: ['gateway']
  },
  system: {
    kind: text('text'),
    default: undefined,
    doc: 'system message before the prompt',
    commands: ASK
  },
  maxTokens: {
    kind: integer(1, 131_072),
    default: undefined,
    defaultText: '1024, or what the context has room for',
    doc: 'most tokens of the answer',
    commands: ASK
  },
  temperature: {
    kind: number(0, 100),
    default: undefined,
    defaultText: '0.8',
    doc: 'how much chance may choose; 0 takes the most probable token',
    commands: ASK
  },
  topK: {
    kind: integer(0, 64),
    default: undefined,
    defaultText: '40',
    doc: 'tokens to choose from; 0 means all 64 candidates',
    commands: ASK
  },
  topP: {
    kind: number(0, 1),
    default: undefined,
    defaultText: '0.95',
    doc: 'choose from the fewest tokens whose probabilities reach this sum',
    commands: ASK
  },
  minP: {
    kind: number(0, 1),
    default: undefined,
    defaultText: '0.05',
    doc: 'leave out tokens less probable than this share of the best',
    commands: ASK
  },
  presencePenalty: {
    kind: number(-100, 100),
    default: undefined,
    defaultText: '0',
    doc: 'subtracted once from the score of tokens already in the answer',
    commands: ASK
  },
  frequencyPenalty: {
    kind: number(-100, 100),
    default: undefined,
    defaultText: '0',
    doc: 'subtracted for each time a token is in the answer',
    commands: ASK
  },
  seed: {
    kind: seed,
    default: undefined,
    defaultText: 'random',
    doc: 'fixes the answer, for the same model and settings',
    commands: ASK
  },
  stop: {
    kind: list('text'),
    default: [],
    defaultText: 'none',
    doc: 'texts that end the answer',
    commands: ASK
  },
  shareable: {
    kind: toggle,
    default: false,
    doc: 'allow that other nodes see the prompt and the answer, to audit who gave it',
    commands: ASK
  },
  otherModels: {
    kind: toggle,
    default: false,
    doc: 'when nobody is left who has the model, let another model go on with the answer',
    commands: ASK
  },
  raw: {
    kind: toggle,
    default: false,
    doc: 'continue the prompt as it is, without a chat template',
    commands: ['run']
  },
  proof: {
    kind: text('file'),
    default: undefined,
    doc: 'write the answers that banned the named node, for `potluck audit`',
    commands: ['nodes']
  },
  remember: {
    kind: toggle,
    default: false,
    doc: 'ask the node no more from this machine, if the proof bans it whatever else its accuser has',
    commands: ['audit']
  },
  logLevel: {
    kind: choice('fatal', 'error', 'warn', 'info', 'debug', 'silent'),
    default: 'warn',
    doc: 'log lines (JSON, on stderr) from this level on',
    commands: [...DAEMON, 'gateway', 'audit']
  },
  json: {
    kind: toggle,
    default: false,
    doc: 'print one JSON object a line, for programs',
    commands: ALL
  }
}

export function flagOf(name: keyof Settings): string {
  return SETTINGS[name].flag ?? `--${keyOf(name)}`
}

export function envOf(name: keyof Settings): string {
  return `POTLUCK_${keyOf(name).replaceAll('-', '_').toUpperCase()}`
}

/** The key in the config file: `dataDir` is `data-dir`. */
export function keyOf(name: keyof Settings): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
