/**
 * @module node/engine
 * Whatever runs a model behind one interface.
 */
export * from './interface.ts'
export { startLlamaEngine, type LlamaEngineOptions } from './llama/start.ts'
