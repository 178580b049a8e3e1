/**
 * A classifier that separates two kinds of requests: logistic regression over named features, trained by AdaGrad. Its
 * accuracy is measured by cross-validation, so each request is judged by a model that did not see it.
 */

/** By name. A missing feature is 0. */
export type Features = ReadonlyMap<string, number>

/** Hashed features: enough that n-grams of ordinary text rarely collide. */
const WIDTH = 1 << 18
const EPOCHS = 6
const RATE = 0.1
const FOLDS = 5

type Sparse = Array<[index: number, value: number]>

export class Classifier {
  readonly #weights = new Float64Array(WIDTH + 1)

  /**
   * @param rows one per example, with its label
   * @param random uniform in [0, 1)
   */
  constructor(rows: readonly Pick<Example, 'features' | 'label'>[], random: () => number) {
    const examples = rows.map(({ features, label }) => ({ row: sparse(features), target: label ? 1 : 0 }))
    const squares = new Float64Array(WIDTH + 1).fill(1e-8)
    for (let epoch = 0; epoch < EPOCHS; epoch++) {
      shuffle(examples, random)
      for (const { row, target } of examples) {
        const error = this.#chance(row) - target
        for (const [index, value] of row) {
          const slope = error * value
          squares[index]! += slope * slope
          this.#weights[index]! -= (RATE * slope) / Math.sqrt(squares[index]!)
        }
      }
    }
  }

  /** Returns the estimated probability of the label. */
  chance(features: Features): number {
    return this.#chance(sparse(features))
  }

  #chance(row: Sparse): number {
    return 1 / (1 + Math.exp(-row.reduce((sum, [index, value]) => sum + this.#weights[index]! * value, 0)))
  }
}

/** A request whose kind the attacker knows. */
export interface Example {
  features: Features
  label: boolean
  /** The requests of one conversation. The attacker learns from other conversations than it judges. */
  group: string
}

/** Returns the share of the examples that a classifier labels correctly when it was trained on other examples. */
export function accuracy(examples: readonly Example[], random: () => number): number {
  const folds = Array.from({ length: FOLDS }, (): Example[] => [])
  for (const example of examples) folds[hash(example.group) % FOLDS]?.push(example)
  const right = folds.map((tested, held) => {
    const classifier = new Classifier(folds.toSpliced(held, 1).flat(), random)
    return tested.filter(({ features, label }) => classifier.chance(features) > 0.5 === label).length
  })
  return right.reduce((sum, count) => sum + count, 0) / examples.length
}

/** Scales each row to the same length, so that long texts do not decide alone, and adds a constant. */
function sparse(features: Features): Sparse {
  const length = Math.hypot(...[...features.values()].slice(0, 50_000)) || 1
  const row: Sparse = [[WIDTH, 1]]
  for (const [name, value] of features) row.push([hash(name) % WIDTH, (value / length) * 4])
  return row
}

/** Fisher-Yates. */
export function shuffle(list: unknown[], random: () => number): void {
  for (let index = list.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    ;[list[index], list[other]] = [list[other], list[index]]
  }
}

function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value >>> 0
}
