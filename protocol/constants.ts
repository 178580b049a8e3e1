/**
 * Every limit and identifier that both sides of the wire share, each with its reason.
 * Times are in milliseconds, sizes in bytes, unless the name says otherwise.
 */

/** One request, one answer; see `messages/potluck.proto`. */
export const GENERATE_PROTOCOL = '/potluck/generate/1.0.0'
/** The node's own signed card with its live load. */
export const CARD_PROTOCOL = '/potluck/card/1.0.0'
/** A Kademlia of our own: values need every storing peer to know our validator. */
export const KAD_PROTOCOL = '/potluck/kad/1.0.0'
/** DHT namespace of cards: the key is `/potluck-card/<peer id multihash>`. */
export const CARD_NAMESPACE = 'potluck-card'

/** Somebody else's answer, measured by a node that holds the same model. */
export const AUDIT_PROTOCOL = '/potluck/audit/1.0.0'

/** Texts to vectors. */
export const EMBED_PROTOCOL = '/potluck/embed/1.0.0'

/** Version of the sampling contract in `sampler/`. Another version is not comparable, never fraud. */
export const SAMPLING_CONTRACT: number = 1

/**
 * A frame's most bytes. The largest honest frame is a request whose prompt fills a context of
 * 256 Ki tokens at some 4 bytes each, and a continuation that carries their ids.
 */
export const MAX_FRAME_BYTES: number = 2 * 1024 * 1024
/** What a node sends is small but for `accepted`, which carries the prompt's ids. */
export const MAX_NODE_FRAME_BYTES: number = 1024 * 1024
/** Texts in one request for embeddings: one prefill each, for which the node gives one slot. */
export const MAX_EMBED_TEXTS: number = 32
/** Dimensions of an embedding; the largest of today's models have 8,192. */
export const MAX_EMBED_DIMENSIONS: number = 16_384
/** A reply to such a request: its vectors, and as much again as nobody needs. */
export const MAX_EMBED_REPLY_BYTES: number = MAX_EMBED_TEXTS * MAX_EMBED_DIMENSIONS * 4 + 1024
/** A signed card: a few hundred bytes a model. DHT storers keep it, so it has to stay small. */
export const MAX_CARD_BYTES: number = 16 * 1024
/** Models a card may list. */
export const MAX_CARD_MODELS: number = 16
/** Addresses a card may list. */
export const MAX_CARD_ADDRESSES: number = 16
/** Features a model may list. */
export const MAX_CARD_FEATURES: number = 16
/** Peers whose newest card a DHT validator remembers, against replay: some 100 bytes each. */
export const MAX_REMEMBERED_CARDS: number = 10_000
/** Any string in a card. */
export const MAX_CARD_STRING: number = 256

/** Messages in one chat request; agents with long tool loops stay below. */
export const MAX_MESSAGES: number = 1024
/** Prompt tokens in a request or in `accepted`: the largest context we frame. */
export const MAX_PROMPT_TOKENS: number = 262_144
/** Tokens one request may ask for. */
export const MAX_ANSWER_TOKENS: number = 131_072
/** Stop sequences in one request. OpenAI allows 4; llama.cpp apps use a few more. */
export const MAX_STOP_SEQUENCES: number = 16
/** Characters of one stop sequence: the text that may be held back while one is incomplete. */
export const MAX_STOP_LENGTH: number = 256
/** Tools in one request, as the OpenAI API allows. */
export const MAX_TOOLS: number = 128
/** Characters of a tool's name, as the OpenAI API allows. */
export const MAX_TOOL_NAME: number = 64
/** Calls in one message or answer: more than any agent asks for at once. */
export const MAX_TOOL_CALLS: number = 128
/** Characters of a call's id; those of known servers have 9 to 40. */
export const MAX_TOOL_CALL_ID: number = 128
/** Bytes of all JSON schemas of a request: they are parsed and checked in the process that holds libp2p. */
export const MAX_SCHEMA_BYTES: number = 256 * 1024
/** Brackets within each other in a schema's text: three for each schema within another, and a listed value. */
export const MAX_SCHEMA_JSON_DEPTH: number = 256
/** Entries of `logit_bias`, as the OpenAI API allows. */
export const MAX_LOGIT_BIAS: number = 1024
/** Alternatives a position of `top_logprobs`, as the OpenAI API allows. */
export const MAX_TOP_LOGPROBS: number = 20
/** A token id's exclusive upper bound: far above any vocabulary (the largest today is 262,144). */
export const MAX_TOKEN_ID: number = 1 << 24

/**
 * Tokens that a node may send ahead of its caller, and the batch in which a caller gives credit
 * back. 256 tokens hide a round trip of 500 ms at 512 tokens per second.
 */
export const CREDIT_WINDOW: number = 256
export const CREDIT_BATCH: number = 64
/** The most credit a caller may hold: what a node has to be ready to buffer. */
export const MAX_CREDIT: number = 65_536

/** Bytes of one token's text; the longest in today's vocabularies is a run of 256 spaces. */
export const MAX_TOKEN_BYTES: number = 1024
/** A receipt holds one hash for 64 tokens of the answer, and some 300 bytes. */
export const MAX_RECEIPT_BYTES: number = 128 * 1024
/** Characters in the detail of a failure. */
export const MAX_ERROR_DETAIL: number = 256
/** Waits and durations beyond a day are not told apart: a peer's number must not become a timer of years. */
export const MAX_WAIT_MS: number = 24 * 60 * 60 * 1000
/** Answers in a fraud proof: one is enough to ban, a few hundred are a cheat at 1 %. */
export const MAX_PROOF_ANSWERS: number = 256
/** A fraud proof as a file: banning answers are a few KB each. */
export const MAX_PROOF_BYTES: number = 8 * 1024 * 1024
/** Tokens under one hash of a receipt: a dispute about one window shows 64 tokens, not the answer. */
export const RECEIPT_WINDOW: number = 64

/** A card's life. Nodes sign anew at half of it, so a storer always holds a fresh one. */
export const CARD_TTL_MS: number = 2 * 60 * 60 * 1000
/** Clocks of home machines drift: a card from this far in the future is still taken. */
export const CLOCK_SKEW_MS: number = 5 * 60 * 1000

/** The client's patience for each phase of an attempt. Each has an error code of its own. */
export interface PhaseTimeouts {
  /** Connection and protocol negotiation. Default 10 s: a relayed dial takes several round trips. */
  dialMs: number
  /** Writing the request. Default 10 s: 2 MiB at a home's 2 Mbit/s upload. */
  requestMs: number
  /** From the request to `accepted` or a refusal: rendering and tokenising. Default 10 s. */
  admissionMs: number
  /** From `accepted` to the first token, beyond the wait that `accepted` told. Default 60 s: prefill on a CPU. */
  firstTokenMs: number
  /** Between two tokens. Default 20 s. */
  tokenMs: number
}

export const DEFAULT_TIMEOUTS: PhaseTimeouts = {
  dialMs: 10_000,
  requestMs: 10_000,
  admissionMs: 10_000,
  firstTokenMs: 60_000,
  tokenMs: 20_000
}

/** The node's patience with a caller: from the stream's opening to a whole request. */
export const REQUEST_READ_TIMEOUT_MS: number = 10_000
/** How long a caller without credit may hold a slot before the node ends the answer. */
export const CREDIT_TIMEOUT_MS: number = 30_000

/**
 * Receive window of one stream, Yamux's least. Its default grows to 16 MiB, four times what a paused
 * stream may buffer before libp2p aborts it.
 */
export const STREAM_WINDOW_BYTES: number = 256 * 1024
