/** The messages between the benchmark and the process of its gateway. */

export const INPUT: { messages: [{ role: 'user'; content: string }] } = {
  messages: [{ role: 'user', content: 'Tell me a story about a fox.' }]
}

export type ToGateway = { type: 'usage' } | { type: 'ask'; maxTokens: number; forbidden: readonly number[] }

export type FromGateway =
  | { type: 'ready'; url: string }
  | { type: 'usage'; cpuMicros: number }
  | { type: 'answered'; tokens: number; last: number }
