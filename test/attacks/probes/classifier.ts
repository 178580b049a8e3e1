/**
 * A classifier that separates two kinds of requests: logistic regression over named features, trained by AdaGrad. Its
 * accuracy is measured by cross-validation, so each request is judged by a model that did not see it.
 */

/** By name. A missing feature is 0. */
export type Features = ReadonlyMap<string, number>

/** Features by the hashes of their names. */
export interface Row {
  indexes: Uint32Array
  values: Float32Array
}

/** A request whose kind the attacker knows. */
export interface Example {
  row: Row
  label: boolean
  /** The requests of one conversation. The attacker learns from other conversations than it judges. */
  group: string
}

/** Hashed features: enough that n-grams of ordinary text rarely collide. */
const WIDTH = 1 << 18
const EPOCHS = 20
const RATE = 0.1
const FOLDS = 5

export class Classifier {
  readonly #weights = new Float64Array(WIDTH + 1)

  /** @param random uniform in [0, 1) */
  constructor(examples: readonly Pick<Example, 'row' | 'label'>[], random: () => number) {
    const order = [...examples]
    const squares = new Float64Array(WIDTH + 1).fill(1e-8)
    for (let epoch = 0; epoch < EPOCHS; epoch++) {
      shuffle(order, random)
      for (const { row, label } of order) {
        const error = this.chance(row) - Number(label)
        for (const [position, index] of row.indexes.entries()) {
          const slope = error * row.values[position]!
          squares[index]! += slope * slope
          this.#weights[index]! -= (RATE * slope) / Math.sqrt(squares[index]!)
        }
      }
    }
  }

  /** Returns the estimated probability of the label. */
  chance({ indexes, values }: Row): number {
    let sum = 0
    for (const [position, index] of indexes.entries()) sum += this.#weights[index]! * values[position]!
    return 1 / (1 + Math.exp(-sum))
  }
}

/** Returns the share of the examples that a classifier labels correctly when it was trained on other examples. */
export function accuracy(examples: readonly Example[], random: () => number): number {
  const folds = Array.from({ length: FOLDS }, (): Example[] => [])
  for (const example of examples) folds[hash(example.group) % FOLDS]?.push(example)
  const right = folds.map((tested, held) => {
    const classifier = new Classifier(folds.toSpliced(held, 1).flat(), random)
    return tested.filter(({ row, label }) => classifier.chance(row) > 0.5 === label).length
  })
  return right.reduce((sum, count) => sum + count, 0) / examples.length
}

/** Hashes the names, and adds a constant feature. */
export function toRow(features: Features): Row {
  return {
    indexes: Uint32Array.of(WIDTH, ...[...features.keys()].map((name) => hash(name) % WIDTH)),
    values: Float32Array.of(1, ...features.values())
  }
}

/** Fisher-Yates. */
export function shuffle(list: unknown[], random: () => number): void {
  for (let index = list.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    ;[list[index], list[other]] = [list[other], list[index]]
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value >>> 0
}
