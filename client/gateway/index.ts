/**
 * @module @potluck/client/gateway
 *
 * An HTTP server in front of the client, which speaks OpenAI's API: `/v1/models`, `/v1/chat/completions`,
 * `/v1/completions`, `/v1/responses` (without a memory) and `/v1/embeddings`, beside `/healthz`, `/readyz`
 * and `/metrics`. Only in Node. `docs/gateway.md` says what apps need to know.
 */
export { startGateway, type Gateway, type GatewayOptions } from './gateway.ts'
export { DEFAULT_LIMITS, DEFAULT_PORT, type GatewayLimits } from './limits.ts'
