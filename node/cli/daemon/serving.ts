/** Starts a node with its engine from the settings, for `serve` and for `gateway --local-node`. */
import { startNode } from '../../daemon.ts'
import { startLlamaEngine, type Engine } from '../../engine/index.ts'
import type { PotluckNode } from '../../node.ts'
import { findModel, type FoundModel } from '../model/find.ts'
import { until, type CommandContext } from '../settings/context.ts'
import { dataDirectories } from '../settings/data-directory.ts'
import { printNotice } from '../terminal/output.ts'
import { createProgress, type Progress } from '../terminal/progress.ts'
import { defaultListen, NODE_PORTS } from './default-listen.ts'
import { createLogger } from './log.ts'
import { checkDataDirectory, checkListen, checkPort } from './preflight.ts'
import { reachOf } from './reach.ts'

export interface Serving {
  node: PotluckNode
  /** The caller must stop the node first, and then close the engine. */
  engine: Engine
}

/** @throws CommandError, or Error with a message of one line, if the model or an address cannot be used */
export async function startServing(context: CommandContext): Promise<Serving> {
  const { settings, env, interrupted } = context
  const dataDirectory = dataDirectories(settings, env).node
  const logger = createLogger(settings)
  const reach = reachOf(settings, settings.listen.length > 0 ? [] : await defaultListen(NODE_PORTS, logger), false)
  await checkDataDirectory(dataDirectory, interrupted)
  await checkListen(reach.listen)
  if (settings.metricsPort !== undefined) await checkPort('127.0.0.1', settings.metricsPort, '--metrics-port')
  const engine = await load(await findModel(context), context)
  try {
    const node = await startNode({
      ...reach,
      engine,
      logger,
      dataDirectory,
      ...(settings.metricsPort === undefined ? {} : { metricsPort: settings.metricsPort })
    })
    return { node, engine }
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** Resolves when the signal fires, or when the owner asks with `potluck stop` that the node ends. */
export async function stopped(node: PotluckNode, interrupted: AbortSignal): Promise<void> {
  const asked = Promise.withResolvers<void>()
  const unlisten = node.onEvent(({ type }) => {
    if (type === 'stop') asked.resolve()
  })
  await Promise.race([until(interrupted), asked.promise])
  unlisten()
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
  const { name, contextLength } = engine.model
  if (context !== undefined && contextLength < context) {
    printNotice(
      `The context of ${name} is ${contextLength} tokens, so the node serves ${contextLength} instead of the ${context} of --context.`,
      json
    )
  }
  return engine
}
