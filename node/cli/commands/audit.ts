/** `potluck audit`: checks a fraud proof, from the file and the model alone. */
import { readFile, stat } from 'node:fs/promises'
import { checkProof, BAN, proofModel, rememberProof, type ProofFinding } from '@potluck/client'
import { formatDigest, MAX_PROOF_BYTES, type Violation } from '@potluck/protocol'

import { startLlamaEngine } from '../../engine/index.ts'
import { crumb } from '../../models/crumb.ts'
import { EXIT_USAGE, Failure } from '../failure.ts'
import { createLogger } from '../log.ts'
import type { CommandContext } from '../program.ts'
import { openStore } from '../store.ts'
import { printJson, printLine, printNote } from '../terminal/output.ts'

const SAYS: Readonly<Record<Violation, string>> = {
  prompt: 'the prompt is not the one that was asked',
  continuation: 'another answer was continued than the one that was given',
  usage: 'the counts are not those of the tokens',
  finish: 'the answer was not over, or went on behind its end'
}

/** Exit code 0: confirmed. 1: the proof shows nothing, or is none. */
export async function audit(context: CommandContext): Promise<number> {
  const { settings, words, interrupted } = context
  const [file] = words
  if (file === undefined) throw new Failure('name the file with the proof', { exitCode: EXIT_USAGE })
  const proof = await readProof(file)
  const modelPath = settings.auditModel ?? embedded(await proofModel(proof))
  const engine = await startLlamaEngine({
    modelPath,
    slots: 1,
    remember: 0,
    gpu: settings.gpu === 'off' ? false : 'auto',
    ...(settings.threads === undefined ? {} : { threads: settings.threads }),
    logger: createLogger(settings),
    signal: interrupted
  })
  try {
    const finding = await checkProof(proof, engine, interrupted)
    if (settings.json) printJson(toJson(finding))
    else printLine(describe(finding))
    if (settings.remember) await remember(finding, context)
    return finding.confirmed ? 0 : 1
  } finally {
    await engine.close()
  }
}

async function remember(finding: ProofFinding, context: CommandContext): Promise<void> {
  const store = await openStore(context)
  try {
    const remembered = rememberProof(finding, store)
    printNote(
      remembered ? 'This machine asks it no more.' : 'Not remembered: the accuser may have chosen what to show.'
    )
  } finally {
    store.close()
  }
}

async function readProof(file: string): Promise<Uint8Array> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new Failure(`there is no file ${file}`, { exitCode: EXIT_USAGE, cause })
  })
  if (found.size > MAX_PROOF_BYTES) throw new Failure(`${file} is no fraud proof: it is larger than any`)
  return await readFile(file)
}

function embedded(digest: Uint8Array): string {
  const text = formatDigest(digest)
  const model = Object.values(crumb).find(({ sha256 }) => text === `sha256:${sha256}`)
  if (model !== undefined) return model.path
  throw new Failure(`the proof is about the model ${text}; give its file with --model`, { exitCode: EXIT_USAGE })
}

function toJson({ peerId, modelDigest, ...finding }: ProofFinding): object {
  return { type: 'audit', peerId: peerId.toString(), modelDigest: formatDigest(modelDigest), ...finding }
}

function describe({ peerId, modelDigest, answers, tokens, violations, logEvidence, ...verdict }: ProofFinding): string {
  const lines = [
    ['peer', peerId.toString()],
    ['model', formatDigest(modelDigest)],
    ['answers', `${answers}, of which ${tokens} tokens were measured`],
    ...violations.map((violation) => ['violation', SAYS[violation]]),
    ...(violations.length > 0 ? [] : [['evidence', `${odds(logEvidence)}; ${BAN} to 1 ban`]])
  ].map(([head = '', text = '']) => `  ${head.padEnd(11)}${text}`)
  return [...lines, '', conclusion(verdict)].join('\n')
}

function conclusion({ confirmed, convincing }: Pick<ProofFinding, 'confirmed' | 'convincing'>): string {
  if (convincing) return 'Confirmed: this peer did not serve the model that it signed for.'
  if (confirmed) return 'Confirmed, if these are all answers that were audited: chosen among many they would show less.'
  return 'Not confirmed: an honest peer may have given these answers.'
}

function odds(logEvidence: number): string {
  const decades = logEvidence / Math.LN10
  return decades < 6 ? `${Math.exp(logEvidence).toPrecision(3)} to 1` : `10^${Math.floor(decades)} to 1`
}
