/** Starts a node by the settings: for `serve`, and for a gateway with a node of its own. */
import { startNode } from '../daemon.ts'
import { startLlamaEngine, type Engine } from '../engine/index.ts'
import type { PotluckNode } from '../node.ts'
import { reachOf } from './daemon-options.ts'
import { dataDirectories } from './data-directory.ts'
import { createLogger } from './log.ts'
import { findModel, type FoundModel } from './model/find.ts'
import type { CommandContext } from './program.ts'
import { createProgress, type Progress } from './terminal/progress.ts'

/** Free ports: nobody has to know them, and several nodes run on one machine. */
const LISTEN = ['/ip4/0.0.0.0/tcp/0', '/ip4/0.0.0.0/tcp/0/ws']

export interface Serving {
  node: PotluckNode
  /** To close after the node. */
  engine: Engine
}

/** @throws Failure, or Error in one line, for a model or an address that cannot be had */
export async function startServing(context: CommandContext): Promise<Serving> {
  const { settings, env } = context
  const reach = reachOf(settings, LISTEN, false)
  const logger = createLogger(settings)
  const engine = await load(await findModel(context), context)
  try {
    const node = await startNode({
      ...reach,
      engine,
      logger,
      dataDirectory: dataDirectories(settings, env).node,
      ...(settings.metricsPort === undefined ? {} : { metricsPort: settings.metricsPort })
    })
    return { node, engine }
  } catch (error) {
    await engine.close()
    throw error
  }
}

async function load(model: FoundModel, { settings, interrupted }: CommandContext): Promise<Engine> {
  const { slots, conversations, context, threads, gpu, json } = settings
  const bars = new Map<string, Progress>()
  const progress = (stage: string): Progress => {
    const bar = bars.get(stage) ?? createProgress(stage, { json })
    bars.set(stage, bar)
    return bar
  }
  const engine = await startLlamaEngine({
    modelPath: model.path,
    ...(model.name === undefined ? {} : { name: model.name }),
    ...(slots === undefined ? {} : { slots }),
    ...(conversations === undefined ? {} : { remember: conversations }),
    ...(context === undefined ? {} : { contextLength: context }),
    ...(threads === undefined ? {} : { threads }),
    gpu: gpu === 'off' ? false : 'auto',
    onProgress: (fraction, stage) => progress(stage).update(fraction),
    logger: createLogger(settings),
    signal: interrupted
  })
  for (const bar of bars.values()) bar.end()
  return engine
}
