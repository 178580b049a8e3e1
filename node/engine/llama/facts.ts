import { GgufFileType, type GgufFileInfo } from 'node-llama-cpp'
import type { EngineModel } from '../interface.ts'

/** What the file says of itself. */
export type ModelFacts = Pick<EngineModel, 'architecture' | 'parameters' | 'quantization'>

export function modelFacts(file: GgufFileInfo): ModelFacts {
  return {
    architecture: file.metadata.general.architecture,
    parameters: (file.fullTensorInfo ?? []).reduce((sum, { dimensions }) => sum + elements(dimensions), 0),
    quantization: quantization(file)
  }
}

function elements(dimensions: readonly (number | bigint)[]): number {
  return dimensions.reduce<number>((product, size) => product * Number(size), 1)
}

/** "Q4_K_M" of `MOSTLY_Q4_K_M`, "F32" of `ALL_F32`. */
function quantization(file: GgufFileInfo): string {
  const type = file.metadata.general.file_type
  const name = type === undefined ? undefined : GgufFileType[type]
  return name === undefined ? 'unknown' : name.replace(/^(ALL|MOSTLY)_/, '')
}
