/**
 * @module node/engine
 * Whatever runs a model behind one interface.
 */
export * from './interface.ts'
export { startLlamaEngine, type LlamaEngineOptions } from './llama/start.ts'
export { Gate } from './scripted/gate.ts'
export { ScriptedEngine, type ScriptedOptions, type ScriptedStep } from './scripted/engine.ts'
