/**
 * @module node/engine
 *
 * The engine runs the model. The rest of the node uses it through the interface `Engine`.
 */
export * from './interface.ts'
export { startLlamaEngine, type LlamaEngineOptions } from './llama/start.ts'
export { startOnDemandModels, type OnDemandModels, type OnDemandModelsOptions } from './llama/on-demand.ts'
