/**
 * What the endpoints under `/potluck/v1` send. Types only, so that a web page can import them. Times that end in `At`
 * are milliseconds since the epoch, and durations end in `Ms`. A peer is its full peer id. A digest is `sha256:…`.
 */

/** `GET /potluck/v1/info` */
export interface Info {
  /** Of the gateway's package. */
  version: string
  /** The user's own node on this machine. Absent if none runs. */
  peer?: string
  /** When the gateway started. */
  startedAt: number
  /** Whether a node of the user runs on this machine: `/potluck/v1/node` describes it. */
  ownNode: boolean
  /** Nodes that the client knows now. */
  peers: number
}

/** `GET /potluck/v1/nodes` */
export interface NodeList {
  nodes: NodeEntry[]
}

export interface NodeEntry {
  peer: string
  /** The user's own node. */
  isOwn: boolean
  models: NodeModel[]
  hardware: {
    /** "cpu", "cuda", "metal" or "vulkan". */
    accelerator: string
    device: string
    /** Of the GPU, or of the machine if it has none. */
    memoryBytes: number
  }
  load: NodeLoad
  roundTripMs: number
  /** `unknown`: the client has no connection to the node now. */
  route: 'direct' | 'relayed' | 'unknown'
  /** Absent: the node has not measured it. */
  claimedTokensPerSecond?: number
  /** Absent: this client has not measured it. */
  measuredTokensPerSecond?: number
  /** The node is paused or shuts down. Its card does not say which. */
  isPaused: boolean
  standing: NodeStanding
}

/** One model, as the node's card describes it. Only the digest identifies the weights. */
export interface NodeModel {
  name: string
  digest: string
  contextLength: number
  /** 0: unknown. */
  parameters: number
  quantization: string
}

export interface NodeLoad {
  running: number
  queued: number
  slots: number
}

export interface NodeStanding {
  /** `unknown`: this client has no answer and no audit of the node yet. */
  state: 'unknown' | 'probationary' | 'established' | 'trusted' | 'quarantined' | 'banned'
  /** Sentences, the most important first. */
  reasons: string[]
  auditedTokens: number
  /** Complete answers that this client got. */
  answers: number
  /** Attempts that failed through the node's fault. */
  failures: number
}

/** `GET /potluck/v1/events`: the data of one server-sent event. */
export type PotluckEvent =
  /** The client asks this node first. `why`: the rule that chose it, in words. */
  | (EventHead & { type: 'picked'; peer: string; model: string; why: string })
  /** The client also asks this node, because the first one is late. */
  | (EventHead & { type: 'hedged'; peer: string })
  /** Before the first token: the request goes to another node. `code`: the error of the first node, if it failed. */
  | (EventHead & { type: 'moved'; from: string; peer: string; code?: string })
  | (EventHead & { type: 'firstToken'; peer: string; ttftMs: number })
  /** A node failed after its first token, and another one continues. `sameWeights`: at the same token. */
  | (EventHead & { type: 'resumed'; from: string; peer: string; code: string; sameWeights: boolean })
  /** Tokens since the last event of this type. At most 4 events a second for each answer. */
  | (EventHead & { type: 'tokens'; peer: string; count: number })
  /** The answer is complete. */
  | (EventHead & { type: 'finished'; peer: string; model: string; tokens: number; tokensPerSecond: number })
  /** `code`: one of the protocol's error codes; `aborted` if the caller stopped the answer; `internal` for a bug. */
  | (EventHead & { type: 'failed'; code: string })
  /** An audit measured this many tokens of this node. */
  | (EventHead & { type: 'audited'; peer: string; tokens: number; result: 'passed' | 'failed' })

export interface EventHead {
  /** The `id` of the API's answer, such as `chatcmpl-…`. */
  request: string
  /** For `/potluck/v1/answers/…`. Equals `request` for the first answer; `n` above 1 gives several. */
  answer: string
  at: number
}

/** `GET /potluck/v1/answers/ID`: a recent complete answer. Its text is not kept. */
export interface KeptAnswer {
  answer: string
  request: string
  /** Of the node that completed the answer. */
  model: { name: string; digest: string }
  /** The nodes that generated a part of the answer and signed it, in order. */
  peers: SignedPart[]
  /** The result of an audit that the client itself began, if it chose this answer. */
  audit?: { result: 'passed' | 'failed'; peer: string; tokens: number; at: number }
}

export interface SignedPart {
  peer: string
  /** Tokens that this node generated and signed. */
  tokens: number
  /**
   * Its fields by name. Bytes are in hexadecimal. A node that failed signed a shorter one, which covers whole windows.
   */
  receipt: Record<string, ReadableValue>
  /** Whether the signature is the node's, and covers the request and these tokens. */
  signatureValid: boolean
}

export type ReadableValue = string | number | boolean | ReadableValue[] | { [name: string]: ReadableValue }

/** `POST /potluck/v1/answers/ID/audit`: the check of an answer by the user's own node. */
export interface AnswerCheck {
  /** `unsupported`: the check says nothing about the node, for example because it has another version. */
  result: 'passed' | 'failed' | 'unsupported'
  /** The node whose part was checked: the one that completed the answer. */
  peer: string
  /** The tokens that this node generated. Empty if a rule is broken, or the check is unsupported. */
  positions: CheckedPosition[]
  /**
   * How many times more probable the tokens are if the node ran another model than if it ran this one. At most 10^12.
   * 0: nothing was measured.
   */
  evidence: number
  /** Sentences. */
  reasons: string[]
}

export interface CheckedPosition {
  /** Of the token in the whole answer. */
  index: number
  /** The text of the token. Part of a character if the character has several tokens. */
  token: string
  /**
   * How far the token is from the one that the own node computes, in units of logits. Null: it is not a candidate at
   * all.
   */
  margin: number | null
  /** Machines with the same model almost never differ this much. One such token can be chance, several are not. */
  isOutside: boolean
}

/** `GET /potluck/v1/node/invite`: an invite to the pool of the user's own node. It contains the key of the pool. */
export interface PoolInvite {
  pool: string
  /** For `potluck pool join`. */
  invite: string
  /** The invite as a QR code without margin: a string for each row, with `1` for dark and `0` for light. */
  qr: string[]
}

/** `GET /potluck/v1/node`, and the reply to `POST /potluck/v1/node/pause` and `…/resume`. */
export interface OwnNodeView {
  peer: string
  /** The name of the node's private network. Absent: the public network. */
  pool?: string
  /** What is loaded. */
  models: (NodeModel & { sizeBytes: number })[]
  accelerator: string
  device: string
  /** Of the GPU, or of the machine if the processor computes. */
  memoryBytes: number
  /** The part of `memoryBytes` that is in use, by all programs. */
  usedBytes: number
  /** Layers on the GPU, and all layers. Absent: the processor computes all of them. */
  layers?: { onGpu: number; all: number }
  load: NodeLoad
  /** The answers that the node generates now. */
  running: { peer: string; model: string; tokens: number; sinceMs: number }[]
  /** Tokens that the node gave to the network. */
  tokensToday: number
  tokensEver: number
  isPaused: boolean
  limits: NodeLimitsView
  reachability: ReachabilityFinding[]
}

export interface NodeLimitsView {
  /** Answers at the same time. */
  slots: number
  /** Requests that can wait. */
  queued: number
  /** Requests of one peer at the same time. */
  requestsPerPeer: number
  connections: number
  /** How long an answer may take while others wait. */
  contestedAnswerMs: number
}

/** As `potluck doctor` says it. */
export interface ReachabilityFinding {
  check: string
  ok: boolean
  message: string
  remedy?: string
}
